/**
 * Stands before every procedure: lets operators through, writes acts into the audit log, and ends a stream when its
 * token does.
 */
import { Context, Effect, Exit, Layer, Option } from "effect"
import { RpcSchema } from "effect/rpc"
import { Admission, jsonOf } from "./Admission.ts"
import { Audit } from "./Audit.ts"
import { Act, Caller, Guard } from "./OperatorApi.ts"
import { UnderWay } from "./UnderWay.ts"

export const layer: Layer.Layer<Guard, never, Admission | Audit | UnderWay> = Layer.effect(
  Guard,
  Effect.gen(function* () {
    const admission = yield* Admission
    const audit = yield* Audit
    const underWay = yield* UnderWay

    return Guard.of((effect, { headers, payload, rpc }) => {
      const call = Effect.gen(function* () {
        const who = yield* admission.admit({ act: rpc._tag, headers, payload })
        const allowed = effect.pipe(
          Effect.provideService(Caller, { userId: who.userId, expiresAt: who.expiresAt }),
          (running) => Effect.raceFirst(running, admission.ended(who)),
        )
        if (!Context.get(rpc.annotations, Act)) return yield* allowed
        // What fails is an error of the API, each with its sentence; the middleware does not see which.
        const exit = yield* audit
          .act(
            { act: rpc._tag, about: jsonOf(payload), user_id: who.userId },
            Effect.flatMap(Effect.exit(allowed), (exit) =>
              Exit.isSuccess(exit) ? Effect.succeed(exit) : Effect.fail({ message: sentenceOf(exit), exit }),
            ),
          )
          .pipe(Effect.catch(({ exit }) => Effect.succeed(exit)))
        return yield* exit
      })
      return RpcSchema.isStreamSchema(rpc.successSchema) ? call : underWay.counted(call)
    })
  }),
)

const sentenceOf = (exit: Exit.Failure<unknown, unknown>): string => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof Error ? error.message : "it died or was interrupted; the log says more"
}

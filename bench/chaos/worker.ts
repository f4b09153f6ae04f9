/** A worker of a service that has one effect: it records each upload with the sink, and tells `media.playable`. */
import { TransientError } from "@armoricore/domain/Errors"
import { emit, Ledger, MaxCrashes, on, RetryPolicy, Worker } from "@armoricore/worker"
import { Duration, Effect, Layer, Logger } from "effect"
import * as Faults from "./Faults.ts"
import { busAndState, stopped } from "./Ports.ts"

const sink = process.env["CHAOS_SINK"] ?? ""
const workMillis = Number(process.env["CHAOS_WORK_MILLIS"] ?? 20)

const record = (id: string, token: number) =>
  Effect.tryPromise({
    try: () => fetch(sink, { method: "POST", body: JSON.stringify({ id, token }), signal: AbortSignal.timeout(2_000) }),
    catch: (cause) =>
      new TransientError({ dependency: "sink", code: "unavailable", message: "the sink is away", cause }),
  })

const handler = on("media.uploaded", {
  concurrency: 4,
  ackWait: Faults.lease,
  handle: ({ event_id, payload }, { token }) =>
    Effect.gen(function* () {
      yield* Effect.sleep(workMillis)
      yield* Faults.crash("before-effect")
      yield* record(event_id, token)
      yield* Faults.crash("after-effect")
      const { media_id, user_id } = payload
      return [emit("media.playable", { media_id, user_id, playback_urls: { hls: "h", mp4: {} } })]
    }),
  failed: ({ payload: { media_id, user_id } }, error, failed_at) => [
    emit("media.failed", { media_id, user_id, error, failed_at }),
  ],
})

const rules = Layer.mergeAll(
  Layer.succeed(RetryPolicy, { maxAttempts: 1_000, base: Duration.millis(100), cap: Duration.seconds(1) }),
  Layer.succeed(MaxCrashes, 1_000),
  Layer.succeed(Worker.WorkerTimes, {
    lease: Faults.lease,
    grace: Duration.seconds(5),
    configurationPause: Duration.seconds(1),
  }),
  Logger.layer([]),
)

const ports = Layer.mergeAll(Faults.bus, Faults.ledger.pipe(Layer.provide(Ledger.layer))).pipe(
  Layer.provide(busAndState),
)

const program = Effect.scoped(
  Effect.gen(function* () {
    yield* Worker.run("media", [handler])
    yield* Effect.sync(() => void process.stdout.write("ready\n"))
    yield* stopped
  }),
)

await Effect.runPromise(program.pipe(Effect.provide(ports), Effect.provide(rules)))
process.exit(0)

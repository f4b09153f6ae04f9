/** Results that a handler tells while its job still runs. */
import { resultEventId } from "@armoricore/domain/Causation"
import { emit, Ledger, on, Worker } from "@armoricore/worker"
import type { HandlerError, Job } from "@armoricore/worker/Handler"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { cause, heard, json, ports, publish, ready, settle, uploaded } from "./support.ts"

const handler = (handle: (job: Job) => Effect.Effect<ReadonlyArray<typeof ready>, HandlerError>) =>
  on("media.uploaded", {
    handle: (_, job) => handle(job),
    failed: ({ payload }, error, failed_at) => [
      emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at }),
    ],
  })

describe("a result before the end of its job", () => {
  it.effect("is told at once under the id that it would have at the end, and once where it is returned too", () =>
    Effect.gen(function* () {
      const messages = yield* heard
      const gate = yield* Deferred.make<void>()
      yield* Worker.run("media", [
        handler((job) => job.tell(ready).pipe(Effect.andThen(Deferred.await(gate)), Effect.as([ready]))),
      ])
      yield* publish(uploaded())
      yield* settle
      assert.deepStrictEqual(
        messages.map(({ id }) => id),
        [resultEventId(cause, "media.playable")],
      )
      assert.strictEqual(json(messages[0]?.body).request_id, "r-1")
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual(new Set(messages.map(({ id }) => id)).size, 1)
    }).pipe(Effect.provide(ports)),
  )

  it.effect("is not told by whoever lost the claim: another owner or a cancellation took it", () =>
    Effect.gen(function* () {
      const messages = yield* heard
      const ledger = yield* Ledger
      const seen: Array<string> = []
      yield* Worker.run("media", [
        handler((job) =>
          ledger.cancel(`media-media-uploaded.${cause}`, "not wanted").pipe(
            Effect.orDie,
            Effect.andThen(job.tell(ready)),
            Effect.tapError((error) => Effect.sync(() => void seen.push("code" in error ? error.code : error._tag))),
            Effect.as([]),
          ),
        ),
      ])
      yield* publish(uploaded())
      yield* settle
      assert.deepStrictEqual(seen, ["claim_lost"])
      assert.isEmpty(messages.filter(({ subject }) => subject.endsWith("media.playable")))
    }).pipe(Effect.provide(ports)),
  )
})

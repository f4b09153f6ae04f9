/**
 * Stores what has become of the members of a chunk, and publishes their events. Each result is stored before its event is
 * published. After a crash between the two, the next worker publishes the events again, with the same ids.
 */
import { EventBus, publishAll } from "@armoricore/bus/EventBus"
import type { AudienceChunk } from "@armoricore/domain/AudienceChunk"
import { type ConfigurationError, Conflict, type PortError, TransientError } from "@armoricore/domain/Errors"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import * as Collection from "@armoricore/state/Collection"
import { outboundMessageAt } from "@armoricore/worker/ResultMessage"
import { Clock, Effect, Option, Schedule } from "effect"
import * as Metrics from "../NotifyMetrics.ts"
import * as ChunkRecord from "./ChunkRecord.ts"

/** The chunk was removed meanwhile, or another worker began it. */
export type ChunkError = TransientError | ConfigurationError | PortError

/** The document while one worker sends its chunk. */
export interface HeldChunk {
  readonly chunk: () => AudienceChunk
  /** Stores the updates and publishes the events of the members that ended. Without updates, that all is published. */
  readonly record: (updates: ReadonlyArray<ChunkRecord.MemberUpdate>) => Effect.Effect<void, ChunkError>
  /** Publishes the events that an earlier worker may not have published. */
  readonly publishRest: Effect.Effect<void, ChunkError>
}

const encoder = new TextEncoder()

export const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const chunks = yield* Collection.make(audienceChunks)

  const publish = Effect.fnUntraced(function* (chunk: AudienceChunk, from: number, requestId: string | undefined) {
    const now = yield* Clock.currentTimeMillis
    const outbound = ChunkRecord.eventsAfter(chunk, from).flatMap(({ events, memberId }) => {
      const cause = { eventId: memberId, requestId }
      return events.map((event) => outboundMessageAt(now, "notify", cause, event))
    })
    if (outbound.length === 0) return
    const exits = yield* publishAll(
      bus,
      outbound.map(({ address, body, id }) => ({ address, id, body: encoder.encode(body) })),
    )
    // After a failure, the next worker publishes all of them again.
    yield* Effect.forEach(exits, (exit) => exit, { discard: true })
  })

  /** `key` of a new chunk: its first record creates the document. */
  const hold = (
    key: string,
    found: { readonly value: AudienceChunk; readonly revision: number },
    requestId: string | undefined,
  ): HeldChunk => {
    let { revision, value } = found
    // Ends are later than all before, so that the time tells which are published.
    let endedAt = value.members.reduce((latest, { e = 0 }) => Math.max(latest, e), value.published_to ?? 0)
    let publishedTo = value.published_to ?? 0

    const write = (next: AudienceChunk) =>
      revision === 0 ? chunks.create(key, next) : chunks.update(key, next, revision)

    const reload = Effect.gen(function* () {
      const current = Option.getOrUndefined(yield* chunks.get(key))
      // A new chunk that exists has its own members: the next delivery of the message continues with them.
      if (revision === 0 || current === undefined) return yield* changed(key)
      ;({ revision, value } = current)
    })

    const store = Effect.fnUntraced(function* (updates: ReadonlyArray<ChunkRecord.MemberUpdate>) {
      const now = yield* Clock.currentTimeMillis
      endedAt = Math.max(now, endedAt + 1)
      for (let attemptsLeft = maxConflicts; ; attemptsLeft--) {
        const next = { ...ChunkRecord.apply(value, updates, endedAt), published_to: publishedTo }
        const written = yield* persist(write(next)).pipe(Effect.catchTag("Conflict", () => Effect.succeed(undefined)))
        if (written !== undefined) {
          revision = written
          value = next
          return
        }
        if (attemptsLeft <= 1) return yield* changed(key)
        yield* reload
      }
    })

    const publishRest = Effect.suspend(() =>
      Effect.map(publish(value, publishedTo, requestId), () => {
        publishedTo = endedAt
      }),
    )
    return {
      chunk: () => value,
      record: (updates) => Effect.andThen(store(updates), publishRest),
      publishRest,
    }
  }

  return { get: (key: string) => Effect.map(chunks.get(key), Option.getOrUndefined), hold }
})

/** Counts the final states of targets. */
export const countResults = (results: ReadonlyArray<ChunkRecord.TargetResult>): Effect.Effect<void> =>
  Effect.forEach(
    Map.groupBy(results, ({ summary: { channel, provider, status } }) => `${channel}|${provider}|${status}`).values(),
    ([first, ...more]) => {
      if (first === undefined) return Effect.void
      const { channel, provider, status } = first.summary
      return Metrics.increment(Metrics.deliveries, { channel, provider, status }, more.length + 1)
    },
    { discard: true },
  )

const changed = (key: string) =>
  Effect.fail(
    new TransientError({
      dependency: "state",
      code: "write_conflict",
      message: `the chunk ${key} was changed or removed by another worker`,
      countsAsAttempt: false,
    }),
  )

const maxConflicts = 16

/** Retries, because the calls whose results are written cannot be undone. */
const persist = <A>(write: Effect.Effect<A, Conflict | TransientError | ConfigurationError>) =>
  Effect.retry(write, { while: (error) => error._tag === "TransientError", schedule: persistSchedule })
const persistSchedule = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 5 }))

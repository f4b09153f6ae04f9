/**
 * One request at a time stores bytes of an upload, over all nodes: the lock is a lease in the state document. A client that lost
 * its connection comes back before its first request has noticed that, often on another node. The new request marks the lock as
 * wanted; the holder stores what it has and ends. The lease of a node that died runs out.
 */
import type { ResumableUpload } from "@armoricore/domain/ResumableUpload"
import type { StateError } from "@armoricore/state/KeyValue"
import * as Collection from "@armoricore/state/Collection"
import { Clock, Duration, Effect, Option } from "effect"
import { problem, type ProblemError } from "../Problem.ts"

export interface LockTimes {
  /** A lock that is not renewed for so long is free. */
  readonly lease: Duration.Duration
  /** A request waits so long for the lock. Longer than the lease. */
  readonly wait: Duration.Duration
  /** Between two looks at the document. */
  readonly poll: Duration.Duration
}

export const defaultTimes: LockTimes = {
  lease: Duration.seconds(15),
  wait: Duration.seconds(20),
  poll: Duration.millis(500),
}

export interface Held {
  readonly upload: ResumableUpload
  /** Writes a change, while the lock is held. Fails if the upload was removed, or another request has the lock. */
  readonly commit: (change: Partial<ResumableUpload>) => Effect.Effect<ResumableUpload, ProblemError | StateError>
}

export const notFound = problem(
  404,
  "not_found",
  "you have no upload with this id, or it has ended; begin one with POST /v1/uploads/tus",
)
const taken = problem(423, "locked", "another request continues this upload; ask for its offset with HEAD")
const busy = problem(423, "locked", "another request stores bytes of this upload; try again in some seconds")

export const make = Effect.fnUntraced(function* (
  uploads: Collection.Collection<ResumableUpload>,
  times: LockTimes = defaultTimes,
) {
  const leaseMillis = Duration.toMillis(times.lease)

  const change = <A>(
    mediaId: string,
    decide: (
      upload: ResumableUpload,
      now: number,
    ) => Effect.Effect<readonly [A, ResumableUpload | undefined], ProblemError>,
  ) =>
    uploads.modifyOrRetry(mediaId, (current) =>
      Effect.gen(function* () {
        const upload = Option.getOrUndefined(current)?.value
        if (upload === undefined || upload.is_removed === true) return yield* notFound
        const [result, next] = yield* decide(upload, yield* Clock.currentTimeMillis)
        return [result, next === undefined ? Option.none() : Option.some(next)] as const
      }),
    )

  const isFree = ({ lock }: ResumableUpload, now: number) => lock === undefined || lock.until <= now

  /** Takes a free lock; otherwise marks it as wanted. */
  const tryAcquire = (mediaId: string, holder: string) =>
    change(mediaId, (upload, now) => {
      if (isFree(upload, now)) {
        const next = { ...upload, lock: { holder, until: now + leaseMillis, is_wanted: false } }
        return Effect.succeed([next, next])
      }
      const lock = upload.lock
      return Effect.succeed([
        undefined,
        lock === undefined || lock.is_wanted ? undefined : { ...upload, lock: { ...lock, is_wanted: true } },
      ])
    })

  const release = (mediaId: string, holder: string) =>
    change(mediaId, (upload) => {
      const { lock, ...rest } = upload
      return Effect.succeed([undefined, lock?.holder === holder ? rest : undefined])
    }).pipe(
      Effect.catchTag("ProblemError", () => Effect.void),
      // The lease runs out.
      Effect.catch((error) => Effect.logWarning("the lock of an upload was not released", { error })),
    )

  const commitAs =
    (mediaId: string, holder: string): Held["commit"] =>
    (fields) =>
      change(mediaId, (upload, now) => {
        if (upload.lock?.holder !== holder) return Effect.fail(taken)
        const next = { ...upload, ...fields, lock: { ...upload.lock, until: now + leaseMillis } }
        return Effect.succeed([next, next])
      })

  /** Renews the lease, and fails once another request wants the lock or has it. */
  const watch = Effect.fnUntraced(function* (mediaId: string, holder: string) {
    for (;;) {
      yield* Effect.sleep(times.poll)
      yield* change(mediaId, (upload, now) => {
        const { lock } = upload
        if (lock?.holder !== holder || lock.is_wanted) return Effect.fail(taken)
        const isDue = lock.until - now < leaseMillis / 2
        return Effect.succeed([
          undefined,
          isDue ? { ...upload, lock: { ...lock, until: now + leaseMillis } } : undefined,
        ])
      })
    }
  })

  /** Only the sleep is interruptible where the caller is not: a lock that was taken is released in any case. */
  const waiting = <A>(
    look: Effect.Effect<A | undefined, ProblemError | StateError>,
  ): Effect.Effect<A, ProblemError | StateError> =>
    Effect.gen(function* () {
      const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(times.wait)
      for (;;) {
        const found = yield* look
        if (found !== undefined) return found
        if ((yield* Clock.currentTimeMillis) >= deadline) return yield* busy
        yield* Effect.interruptible(Effect.sleep(Duration.min(times.poll, Duration.millis(250))))
      }
    })

  /** Runs `use` with the lock. `use` is interrupted when another request wants it, and must store what it has. */
  const withLock = <A, E, R>(mediaId: string, use: (held: Held) => Effect.Effect<A, E, R>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const holder = crypto.randomUUID()
        const upload = yield* waiting(tryAcquire(mediaId, holder))
        const held = { upload, commit: commitAs(mediaId, holder) }
        return yield* restore(Effect.raceFirst(use(held), watch(mediaId, holder))).pipe(
          Effect.ensuring(release(mediaId, holder)),
        )
      }),
    )

  /** The document once no request stores bytes of the upload; a running one ends. */
  const settled = (mediaId: string) =>
    waiting(
      change(mediaId, (upload, now) => {
        if (isFree(upload, now)) return Effect.succeed([upload, undefined])
        const { lock } = upload
        return Effect.succeed([
          undefined,
          lock === undefined || lock.is_wanted ? undefined : { ...upload, lock: { ...lock, is_wanted: true } },
        ])
      }),
    )

  return { withLock, settled }
})

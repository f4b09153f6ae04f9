/**
 * The jobs of the installation, media and transcriptions, newest first: read from the state once somebody looks, and
 * from then on kept by the events that pass, so that a thousand progress messages cost no reading. Transcriptions tell no
 * progress on the bus: of those at work the state is read again while somebody looks.
 *
 * Where events may have been missed (the bus was away) all is read again. Of what has ended, the latest are remembered.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { MediaState } from "@armoricore/domain/MediaState"
import type { TranscriptState } from "@armoricore/domain/Transcript"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { transcriptStates } from "@armoricore/state/Transcripts"
import {
  Clock,
  Context,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Option,
  PubSub,
  Result,
  Scope,
  Semaphore,
  Stream,
} from "effect"
import type { Job, JobKind, JobStatus } from "./api/Job.ts"
import * as JobStates from "./JobStates.ts"

type PortFailure = TransientError | ConfigurationError

export interface Filter {
  readonly kind?: JobKind | undefined
  readonly status?: JobStatus | undefined
  readonly query?: string | undefined
  readonly limit: number
}

export interface Counts {
  readonly stages: Readonly<Record<string, number>>
  readonly ready: number
  readonly failed: number
}

/** A job and what the state has of it. */
export type Found =
  | { readonly _tag: "Media"; readonly job: Job; readonly state: MediaState }
  | { readonly _tag: "Transcript"; readonly job: Job; readonly state: TranscriptState }
  /** Its event was heard; no worker has begun with it. */
  | { readonly _tag: "Queued"; readonly job: Job }

export class JobBoard extends Context.Service<
  JobBoard,
  {
    readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<Job>, PortFailure>
    /** As the state has it now; undefined where there is none. */
    readonly get: (kind: JobKind, mediaId: string) => Effect.Effect<Found | undefined, PortFailure>
    /** A transcription was sent to be made again under this id; no event tells of it. */
    readonly sentAgain: (job: Job, eventId: string) => Effect.Effect<void>
    /** Of those that are read so far. */
    readonly counts: Effect.Effect<Counts, PortFailure>
    /** Something, whatever, may have changed. */
    readonly changes: Stream.Stream<void>
  }
>()("@armoricore/operator/JobBoard") {
  static readonly layer: Layer.Layer<JobBoard, never, EventBus | KeyValue> = Layer.effect(
    JobBoard,
    Effect.suspend(() => make),
  )
}

/** Jobs that are remembered after their end. */
const remembered = 2_000
const page = 500
const heardTypes = [
  "media.uploaded",
  "media.ready",
  "media.failed",
  "transcription.requested",
  "transcription.complete",
  "transcription.failed",
] as const
/** How long whoever counts waits for the first reading. */
const patience = "1 second"
/** How often transcriptions at work are looked at, and how many of them. */
const lookEveryMillis = 2_000
const mostLookedAt = 100

const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const media = yield* Collection.make(mediaStates)
  const transcripts = yield* Collection.make(transcriptStates)
  const scope = yield* Effect.scope
  /** The latest change last. */
  const jobs = new Map<string, Job>()
  const changes = yield* PubSub.sliding<void>(1)
  const missed = Latch.makeUnsafe(false)

  const put = (job: Job): void => {
    const key = JobStates.keyOf(job)
    jobs.delete(key)
    jobs.set(key, job)
    if (jobs.size > remembered * 2) forget()
    PubSub.publishUnsafe(changes, undefined)
  }
  const forget = (): void => {
    let surplus = jobs.size - remembered
    for (const [key, job] of jobs) {
      if (surplus <= 0) return
      if (job.status === "processing") continue
      jobs.delete(key)
      surplus--
    }
  }

  const readAll = Effect.fnUntraced(function* <A>(
    states: Collection.Collection<A>,
    jobOf: (state: A) => Job | undefined,
  ) {
    let after: string | undefined
    const found: Array<Job> = []
    for (;;) {
      const documents = yield* states.list({ limit: page, ...(after === undefined ? {} : { after }) })
      for (const { value } of documents) {
        const job = jobOf(value)
        if (job !== undefined) found.push(job)
      }
      // What ended long ago is not needed to sort the rest.
      if (found.length > remembered * 4) found.sort(byAge).splice(0, found.length - remembered * 2)
      after = documents.at(-1)?.key
      if (documents.length < page) return found
    }
  })

  const load = Effect.gen(function* () {
    const found = [
      ...(yield* readAll(media, (state) => (state.deleted_at === undefined ? JobStates.mediaJob(state) : undefined))),
      ...(yield* readAll(transcripts, JobStates.transcriptJob)),
    ]
    for (const job of found.sort(byAge)) {
      const key = JobStates.keyOf(job)
      const known = jobs.get(key)
      jobs.delete(key)
      jobs.set(key, { ...JobStates.traced(known), ...job })
    }
    forget()
    PubSub.publishUnsafe(changes, undefined)
  })

  const listen = Effect.gen(function* () {
    const onMessage = ({ body }: { readonly body: Uint8Array }) => {
      const decoded = EventCodec.decodeResult(body)
      const job = Result.isSuccess(decoded) ? JobStates.after(jobs, decoded.success.event) : undefined
      if (job !== undefined) put(job)
    }
    const onGap = () => void missed.openUnsafe()
    for (const type of heardTypes) yield* bus.listen(Address.event(type), onMessage, onGap)
    yield* bus.listen(Address.live("media.progress"), onMessage)
    yield* load
    // Ends with the layer.
    yield* Effect.forkIn(Effect.forever(Effect.andThen(missed.await, again)), scope)
  })
  const again = Effect.andThen(
    missed.close,
    load.pipe(Effect.catch((error) => Effect.logWarning(`jobs cannot be read: ${error.message}`))),
  )

  const turn = Semaphore.makeUnsafe(1)
  let starting: Fiber.Fiber<void, PortFailure> | undefined
  const begin = Effect.gen(function* () {
    const own = yield* Scope.fork(scope)
    yield* Effect.onError(Scope.provide(listen, own), () => Scope.close(own, Exit.void))
  })
  /**
   * The first look pays for it; one that fails leaves nothing behind. A million jobs take a while to read: whoever does
   * not want to wait may go, the reading goes on for the next one.
   */
  const started: Effect.Effect<void, PortFailure> = turn
    .withPermits(1)(
      Effect.suspend(() =>
        starting === undefined
          ? Effect.tap(Effect.forkIn(begin, scope), (fiber) => Effect.sync(() => void (starting = fiber)))
          : Effect.succeed(starting),
      ),
    )
    .pipe(
      Effect.flatMap((fiber) =>
        Effect.tapError(Fiber.join(fiber), () =>
          Effect.sync(() => {
            if (starting === fiber) starting = undefined
          }),
        ),
      ),
    )

  const listenedTo = (): ReadonlyArray<Job> =>
    [...jobs.values()].filter(({ kind, status }) => kind === "transcription" && status === "processing")
  let lookedAt = 0
  const lookAgain = Effect.gen(function* () {
    const atWork = listenedTo()
    const now = yield* Clock.currentTimeMillis
    if (atWork.length === 0 || now - lookedAt < lookEveryMillis) return
    lookedAt = now
    yield* Effect.forEach(
      atWork.slice(-mostLookedAt),
      Effect.fnUntraced(function* (job) {
        const state = Option.getOrUndefined(yield* transcripts.get(job.media_id))?.value
        const known = jobs.get(JobStates.keyOf(job))
        // Of another request, or as it is known.
        if (state === undefined || known !== job || state.cause !== job.event_id || isSame(job, state)) return
        put({ ...JobStates.traced(job), ...JobStates.transcriptJob(state) })
      }),
      { concurrency: 8, discard: true },
    )
  })

  return JobBoard.of({
    list: Effect.fnUntraced(function* ({ kind, limit, query, status }) {
      yield* started
      yield* lookAgain
      const found: Array<Job> = []
      for (const job of [...jobs.values()].reverse()) {
        if (found.length >= limit) break
        if (kind !== undefined && job.kind !== kind) continue
        if (status !== undefined && job.status !== status) continue
        if (query !== undefined && !job.media_id.includes(query) && !job.user_id.includes(query)) continue
        found.push(job)
      }
      return found
    }),
    get: Effect.fnUntraced(function* (kind, mediaId) {
      const known = jobs.get(JobStates.keyOf({ kind, media_id: mediaId }))
      const heard: Found | undefined = known?.stage === "queued" ? { _tag: "Queued", job: known } : undefined
      if (kind === "transcription") {
        const state = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value
        if (state === undefined || (heard !== undefined && state.cause !== heard.job.event_id)) return heard
        return { _tag: "Transcript", state, job: { ...JobStates.traced(known), ...JobStates.transcriptJob(state) } }
      }
      const state = Option.getOrUndefined(yield* media.get(mediaId))?.value
      // An upload that the state does not know yet.
      if (state === undefined || (heard !== undefined && !(heard.job.event_id in state.generations))) return heard
      if (state.deleted_at !== undefined) return undefined
      const job = { ...JobStates.traced(known), ...JobStates.mediaJob(state) }
      const told = isBehind(job, known) ? { ...job, stage: known.stage, percent: known.percent } : job
      return { _tag: "Media", state, job: told }
    }),
    sentAgain: ({ error: _over, ...job }, eventId) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        put({
          ...job,
          status: "processing",
          stage: "queued",
          percent: 0,
          event_id: eventId,
          updated_at: new Date(now).toISOString(),
        }),
      ),
    counts: Effect.map(Effect.timeoutOption(started, patience), () => {
      const stages: Record<string, number> = {}
      const ended = { ready: 0, failed: 0 }
      for (const { stage, status } of jobs.values()) {
        if (status === "processing") stages[stage] = (stages[stage] ?? 0) + 1
        else ended[status]++
      }
      return { stages, ...ended }
    }),
    changes: Stream.merge(
      Stream.fromPubSub(changes),
      Stream.filter(Stream.tick(lookEveryMillis), () => listenedTo().length > 0),
    ),
  })
})

const byAge = (a: Job, b: Job): number => Date.parse(a.updated_at) - Date.parse(b.updated_at)

const isSame = (job: Job, { percent, status }: TranscriptState): boolean =>
  job.stage === "transcribing" && job.percent === percent && status === "processing"

/** Progress is written down now and then only; what was heard of the same work is newer. */
const isBehind = (job: Job, known: Job | undefined): known is Job =>
  known !== undefined &&
  job.status === "processing" &&
  known.status === "processing" &&
  known.event_id === job.event_id &&
  known.percent > job.percent

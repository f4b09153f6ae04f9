/**
 * The media jobs of the installation, newest first: read from the state once somebody looks, and from then on kept by
 * the events that pass, so that a thousand progress messages cost no reading.
 *
 * Where events may have been missed (the bus was away) all is read again. Of what has ended, the latest are remembered.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { AnyEvent } from "@armoricore/domain/Events"
import type { MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Context, Effect, Latch, Layer, Option, PubSub, Result, Scope, Semaphore, Stream } from "effect"
import type { Job, JobStatus } from "./api/Job.ts"

type PortFailure = TransientError | ConfigurationError

export interface Filter {
  readonly status?: JobStatus | undefined
  readonly query?: string | undefined
  readonly limit: number
}

export interface Counts {
  readonly stages: Readonly<Record<string, number>>
  readonly ready: number
  readonly failed: number
}

export class JobBoard extends Context.Service<
  JobBoard,
  {
    readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<Job>, PortFailure>
    /** As the state has it now; undefined where there is none. */
    readonly get: (
      mediaId: string,
    ) => Effect.Effect<{ readonly job: Job; readonly state: MediaState } | undefined, PortFailure>
    readonly counts: Effect.Effect<Counts, PortFailure>
    /** Something, whatever, has changed. */
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
const heardTypes = ["media.uploaded", "media.ready", "media.failed"] as const

const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const states = yield* Collection.make(mediaStates)
  const scope = yield* Effect.scope
  /** The latest change last. */
  const jobs = new Map<string, Job>()
  const changes = yield* PubSub.sliding<void>(1)
  const missed = Latch.makeUnsafe(false)

  const put = (job: Job): void => {
    jobs.delete(job.media_id)
    jobs.set(job.media_id, job)
    if (jobs.size > remembered * 2) forget()
    PubSub.publishUnsafe(changes, undefined)
  }
  const forget = (): void => {
    let surplus = jobs.size - remembered
    for (const job of jobs.values()) {
      if (surplus <= 0) return
      if (job.status === "processing") continue
      jobs.delete(job.media_id)
      surplus--
    }
  }

  const load = Effect.gen(function* () {
    let after: string | undefined
    const found: Array<Job> = []
    for (;;) {
      const documents = yield* states.list({ limit: page, ...(after === undefined ? {} : { after }) })
      for (const { value } of documents) if (value.deleted_at === undefined) found.push(jobOf(value))
      // What ended long ago is not needed to sort the rest.
      if (found.length > remembered * 4) found.sort(byAge).splice(0, found.length - remembered * 2)
      after = documents.at(-1)?.key
      if (documents.length < page) break
    }
    for (const job of found.sort(byAge)) {
      const known = jobs.get(job.media_id)
      jobs.delete(job.media_id)
      jobs.set(job.media_id, { ...told(known), ...job })
    }
    forget()
    PubSub.publishUnsafe(changes, undefined)
  })

  const receive = (event: AnyEvent): void => {
    const job = jobAfter(jobs, event)
    if (job !== undefined) put(job)
  }

  const listen = Effect.gen(function* () {
    const onMessage = ({ body }: { readonly body: Uint8Array }) => {
      const decoded = EventCodec.decodeResult(body)
      if (Result.isSuccess(decoded)) receive(decoded.success.event)
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
  let listening = false
  /** The first look pays for it; one that fails leaves nothing behind. */
  const started: Effect.Effect<void, PortFailure> = Effect.suspend(() =>
    listening
      ? Effect.void
      : turn.withPermits(1)(
          Effect.suspend(() =>
            listening ? Effect.void : Effect.map(Scope.provide(listen, scope), () => void (listening = true)),
          ),
        ),
  )

  return JobBoard.of({
    list: ({ limit, query, status }) =>
      Effect.map(started, () => {
        const found: Array<Job> = []
        for (const job of [...jobs.values()].reverse()) {
          if (found.length >= limit) break
          if (status !== undefined && job.status !== status) continue
          if (query !== undefined && !job.media_id.includes(query) && !job.user_id.includes(query)) continue
          found.push(job)
        }
        return found
      }),
    get: (mediaId) =>
      Effect.map(states.get(mediaId), (found) => {
        const state = Option.getOrUndefined(found)?.value
        if (state === undefined || state.deleted_at !== undefined) return undefined
        const known = jobs.get(mediaId)
        const job = { ...told(known), ...jobOf(state) }
        return { state, job: isBehind(job, known) ? { ...job, stage: known.stage, percent: known.percent } : job }
      }),
    counts: Effect.map(started, () => {
      const stages: Record<string, number> = {}
      const ended = { ready: 0, failed: 0 }
      for (const { stage, status } of jobs.values()) {
        if (status === "processing") stages[stage] = (stages[stage] ?? 0) + 1
        else ended[status]++
      }
      return { stages, ...ended }
    }),
    changes: Stream.fromPubSub(changes),
  })
})

const byAge = (a: Job, b: Job): number => Date.parse(a.updated_at) - Date.parse(b.updated_at)

/** What only events tell, and the state does not keep. */
const told = (job: Job | undefined): Partial<Job> => ({
  ...(job?.trace_id === undefined ? {} : { trace_id: job.trace_id }),
  ...(job?.request_id === undefined ? {} : { request_id: job.request_id }),
})

/** Progress is written down now and then only; what was heard of the same work is newer. */
const isBehind = (job: Job, known: Job | undefined): known is Job =>
  known !== undefined &&
  job.status === "processing" &&
  known.status === "processing" &&
  known.event_id === job.event_id &&
  known.percent > job.percent

export const jobOf = (state: MediaState): Job => ({
  media_id: state.media_id,
  user_id: state.user_id,
  status: state.status,
  stage: state.stage,
  percent: state.status === "ready" ? 100 : state.percent,
  event_id: state.cause,
  updated_at: state.updated_at,
  retryable: state.upload !== undefined,
  timings: state.timings,
  ...(state.status === "failed" && state.failed !== undefined ? { error: state.failed.error } : {}),
  ...made(state.ready),
})

const made = (ready: MediaState["ready"]) =>
  ready === undefined
    ? { resolutions: [], thumbnails: [] }
    : {
        resolutions: ready.resolutions,
        thumbnails: ready.thumbnail_urls,
        duration: ready.duration,
        playback: ready.playback_urls.hls,
      }

/** The job as it is after an event; undefined: nothing that is shown. */
const jobAfter = (jobs: ReadonlyMap<string, Job>, event: AnyEvent): Job | undefined => {
  const trace = traceIdOf(event.traceparent)
  const heard = {
    ...(trace === undefined ? {} : { trace_id: trace }),
    ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
    updated_at: event.timestamp,
  }
  switch (event.event_type) {
    case "media.uploaded": {
      const known = jobs.get(event.payload.media_id)
      // The same event again, as from a publisher that was not sure.
      if (known?.event_id === event.event_id) return undefined
      const { media_id, user_id } = event.payload
      return {
        media_id,
        user_id,
        status: "processing",
        stage: "queued",
        percent: 0,
        event_id: event.event_id,
        retryable: true,
        resolutions: [],
        thumbnails: [],
        timings: {},
        ...heard,
      }
    }
    case "media.progress": {
      const known = jobs.get(event.payload.media_id)
      const { percent, stage } = event.payload
      if (known === undefined) return undefined
      const { error: _over, ...job } = known
      return { ...job, ...heard, status: "processing", stage, percent }
    }
    case "media.ready": {
      const known = jobs.get(event.payload.media_id)
      const { media_id, user_id } = event.payload
      const { error: _over, ...before } = known ?? unknownJob(event)
      return { ...before, ...heard, media_id, user_id, status: "ready", percent: 100, ...made(event.payload) }
    }
    case "media.failed": {
      const known = jobs.get(event.payload.media_id) ?? unknownJob(event)
      const { error, media_id, user_id } = event.payload
      return { ...known, ...heard, media_id, user_id, status: "failed", error }
    }
    default:
      return undefined
  }
}

const unknownJob = ({ event_id, timestamp }: AnyEvent): Job => ({
  media_id: "",
  user_id: "",
  status: "processing",
  stage: "publishing",
  percent: 0,
  event_id,
  updated_at: timestamp,
  retryable: true,
  resolutions: [],
  thumbnails: [],
  timings: {},
})

/** The trace's id out of a W3C traceparent. */
export const traceIdOf = (traceparent: string | undefined): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? "")?.[1]

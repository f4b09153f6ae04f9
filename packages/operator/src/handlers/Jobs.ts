/** Jobs: list, watch, cancel, retry. A media worker is asked for the last two as over HTTP, the ledger for the rest. */
import { type Address, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { derivedId } from "@armoricore/domain/Causation"
import { type MediaControl, mediaControlKind, type MediaRetry, mediaRetryKind } from "@armoricore/domain/MediaControl"
import { type TranscriptRetry, transcriptRetryKind } from "@armoricore/domain/TranscriptControl"
import { Cancellation } from "@armoricore/worker/Cancellation"
import { Effect, Stream } from "effect"
import type { Job, JobKind, JobStatus } from "../api/Job.ts"
import { NotDone } from "../api/Failures.ts"
import { type Found, JobBoard } from "../JobBoard.ts"
import { failing, limitOf, notFound } from "./Failing.ts"

const [usual, most] = [100, 500]
const settleMillis = 500

interface Asked {
  readonly limit?: number
  readonly kind?: JobKind
  readonly status?: JobStatus
  readonly query?: string
}
interface Target {
  readonly media_id: string
  readonly kind?: JobKind
}

/** Durable consumers that may have the message of a job. */
const consumersOf: Readonly<Record<JobKind, ReadonlyArray<string>>> = {
  media: ["media-media-uploaded"],
  transcription: ["ai-transcription-requested", `ai-work-${transcriptRetryKind}`],
}

export const make = Effect.gen(function* () {
  const board = yield* JobBoard
  const bus = yield* EventBus
  const cancellation = yield* Cancellation

  const find = Effect.fnUntraced(function* ({ kind = "media", media_id }: Target) {
    const what = kind === "media" ? "media" : "transcription of the media"
    return (yield* board.get(kind, media_id)) ?? (yield* notFound(what, media_id))
  })

  /** The same wish in the same state is one message. */
  const enqueue = Effect.fnUntraced(function* (
    address: Extract<Address, { readonly channel: "work" }>,
    payload: MediaControl | MediaRetry | TranscriptRetry,
    because: ReadonlyArray<string>,
  ) {
    const id = derivedId(address.service, address.kind, payload.media_id, ...because)
    const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
    yield* bus.publish({ address, id, body })
    return id
  })

  /** Also what no worker has begun with. */
  const end = Effect.fnUntraced(function* ({ event_id, kind, media_id }: Job) {
    const what = kind === "media" ? "work on" : "transcription of"
    for (const consumer of consumersOf[kind]) {
      const ended = yield* cancellation.cancel(consumer, event_id, `The ${what} ${media_id} was ended by request.`)
      if (!ended) return yield* new NotDone({ code: "too_late", message: "its result is decided already" })
    }
  })

  const cancel = Effect.fnUntraced(function* (found: Found) {
    const { job } = found
    if (job.status !== "processing") {
      return yield* new NotDone({
        code: "not_processing",
        message: `this ${job.kind} is ${job.status}; there is nothing to cancel`,
      })
    }
    if (found._tag !== "Media") return yield* end(job)
    const payload: MediaControl = { action: "cancel", media_id: found.state.media_id }
    yield* enqueue(work("media", mediaControlKind), payload, ["cancel", found.state.cause])
  })

  const retry = Effect.fnUntraced(function* (found: Found) {
    const { job } = found
    if (found._tag === "Queued" || job.status !== "failed") {
      return yield* new NotDone({
        code: "not_failed",
        message: `this ${job.kind} is ${job.status}; only what failed is made again`,
      })
    }
    if (!job.retryable) {
      return yield* new NotDone(
        job.kind === "media"
          ? {
              code: "upload_unknown",
              message: "what was uploaded is not known any more; it has to be uploaded again",
            }
          : {
              code: "request_unknown",
              message: "what was asked for is not known any more; publish transcription.requested again",
            },
      )
    }
    const { media_id, user_id } = job
    const address = found._tag === "Media" ? work("media", mediaRetryKind) : work("ai", transcriptRetryKind)
    const id = yield* enqueue(address, { media_id, user_id }, [found.state.cause])
    if (found._tag === "Transcript") yield* board.sentAgain(job, id)
  })

  const listed = ({ limit, ...filter }: Asked) => failing(board.list({ ...filter, limit: limitOf(limit, usual, most) }))

  return {
    ListJobs: listed,
    WatchJobs: (asked: Asked) => {
      const list = listed(asked)
      // Listening first: what changes while the list is made is in the next one.
      const changes = board.changes.pipe(
        Stream.throttle({ cost: () => 1, units: 1, duration: settleMillis, strategy: "shape" }),
      )
      return Stream.merge(Stream.succeed(undefined), changes).pipe(Stream.mapEffect(() => list))
    },
    GetJob: (target: Target) => failing(Effect.map(find(target), ({ job }) => job)),
    CancelJob: (target: Target) => failing(Effect.flatMap(find(target), cancel)),
    RetryJob: (target: Target) => failing(Effect.flatMap(find(target), retry)),
  }
})

/**
 * The replaced bodies of items. A message of JetStream cannot change, so the body that replaced the one of item `seq` is the
 * last message of the subject `armoricore-history.<room>.<seq>`, in the same stream. A page needs one request for each of its
 * items, whose cost does not depend on the length of the stream.
 */
import type { NatsRequestError } from "@armoricore/nats/NatsErrors"
import { errorFrom, jetStreamErrorCode, streamRequest } from "@armoricore/nats/NatsErrors"
import { Effect } from "effect"
import { headers } from "nats"
import type { HistoryItem } from "../History.ts"
import { getMessage, type JetStreamHandles } from "./NatsHistoryRequests.ts"
import { isMessageNotFound, streamName, subjectOf } from "./NatsHistoryStream.ts"

const resource = `stream ${streamName}`

const maxConcurrent = 64

/** JetStream's error when another process replaced the body first. */
const wrongLastSequence = 10071

/** `subject`: of the room. */
const replacementOf = (subject: string, seq: number): string => `${subject}.${seq}`

const latest = (nats: JetStreamHandles, subject: string, seq: number) =>
  getMessage(nats, { last_by_subj: replacementOf(subject, seq) })

/** The item that a message belongs to: itself, or the item whose body it replaces. */
export const targetOf = ({ seq, subject }: { readonly seq: number; readonly subject: string }) => {
  const [prefix = "", room = "", replaced] = subject.split(".")
  return replaced === undefined ? { seq, subject } : { seq: Number(replaced), subject: `${prefix}.${room}` }
}

/** The items with their current bodies. */
export const apply = Effect.fnUntraced(function* (
  nats: JetStreamHandles,
  room: string,
  items: ReadonlyArray<HistoryItem>,
) {
  return yield* Effect.forEach(items, (item) => Effect.map(current(nats, room, item), ({ item: found }) => found), {
    concurrency: maxConcurrent,
  })
})

/** The item with its current body, and the sequence of the replacement, 0 for none. */
const current = (nats: JetStreamHandles, room: string, item: HistoryItem) =>
  Effect.map(latest(nats, subjectOf(room), item.seq), (found) =>
    found === undefined ? { item, version: 0 } : { item: { ...item, body: found.data }, version: found.seq },
  )

/** False if the current body is not `expected`, or another process replaces it at this moment. */
export const replace = Effect.fnUntraced(function* (
  nats: JetStreamHandles,
  room: string,
  stored: HistoryItem,
  expected: Uint8Array,
  body: Uint8Array,
): Effect.fn.Return<boolean, NatsRequestError> {
  const { item, version } = yield* current(nats, room, stored)
  if (Buffer.compare(item.body, expected) !== 0) return false
  const marks = headers()
  // Deletes the earlier replacements.
  marks.set("Nats-Rollup", "sub")
  return yield* streamRequest(resource, () =>
    nats.js.publish(replacementOf(subjectOf(room), stored.seq), body, {
      headers: marks,
      expect: { lastSubjectSequence: version },
    }),
  ).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => jetStreamErrorCode(error.cause) === wrongLastSequence,
      () => Effect.succeed(false),
    ),
  )
})

/** Deletes the replacement of a removed item. */
export const forget = Effect.fnUntraced(function* (nats: JetStreamHandles, subject: string, seq: number) {
  const found = yield* latest(nats, subject, seq)
  if (found === undefined) return
  yield* Effect.tryPromise({
    try: () => nats.manager.streams.deleteMessage(streamName, found.seq, true),
    catch: (cause) => cause,
  }).pipe(
    Effect.catchIf(isMessageNotFound, () => Effect.succeed(false)),
    Effect.mapError(errorFrom(resource)),
  )
})

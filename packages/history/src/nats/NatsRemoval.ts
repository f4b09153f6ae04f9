/**
 * Deletes items from the stream. A server that does not notice the deletion of a subject's last message (`ServerFaults`) would lose
 * the item that is left when one of the last two items of such a room is deleted. A mark, a message without an item, is the last
 * message of the subject meanwhile: then the server tracks the others correctly, also after the mark is deleted. Readers skip it.
 */
import { losesMessagesOfSubjects } from "@armoricore/nats/ServerFaults"
import { errorFrom, streamRequest } from "@armoricore/nats/NatsErrors"
import { Effect } from "effect"
import { headers, type NatsConnection as Client } from "nats"
import { getMessage, type JetStreamHandles, markHeader } from "./NatsHistoryRequests.ts"
import { isMessageNotFound, streamName } from "./NatsHistoryStream.ts"
import * as NatsReplacements from "./NatsReplacements.ts"

interface Handles extends JetStreamHandles {
  readonly client: Client
}

const resource = `stream ${streamName}`

/** Deletes the item and the body that replaced its own. `subject`: of the room. False if it was deleted before. */
export const deleteItem = (nats: Handles, subject: string, seq: number) =>
  Effect.gen(function* () {
    const isRemoved = losesMessagesOfSubjects(nats.client.info?.version ?? "")
      ? yield* deleteTracked(nats, subject, seq)
      : yield* deleteMessage(nats, seq)
    yield* NatsReplacements.forget(nats, subject, seq)
    return isRemoved
  })

const deleteMessage = (nats: JetStreamHandles, seq: number) =>
  Effect.tryPromise({
    try: () => nats.manager.streams.deleteMessage(streamName, seq, true),
    catch: (cause) => cause,
  }).pipe(
    Effect.catchIf(isMessageNotFound, () => Effect.succeed(false)),
    Effect.mapError(errorFrom(resource)),
  )

const deleteTracked = Effect.fnUntraced(function* (nats: Handles, subject: string, seq: number) {
  const next = (from: number) => getMessage(nats, { seq: from, next_by_subj: subject })
  // Servers since 2.9.16 look for a subject's first message only when it is read.
  const first = yield* next(1)
  const second = first === undefined ? undefined : yield* next(first.seq + 1)
  const isOneOfTwo = second !== undefined && (yield* next(second.seq + 1)) === undefined
  if (!isOneOfTwo) return yield* deleteMessage(nats, seq)
  const marks = headers()
  marks.set(markHeader, "1")
  return yield* Effect.acquireUseRelease(
    streamRequest(resource, () => nats.js.publish(subject, new Uint8Array(), { headers: marks })),
    () => Effect.tap(deleteMessage(nats, seq), next(1)),
    ({ seq: mark }) => Effect.ignore(deleteMessage(nats, mark)),
  )
})

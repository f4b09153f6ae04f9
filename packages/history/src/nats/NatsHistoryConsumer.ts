/**
 * Follows a room of a stream that does not tell by itself what is added: one that an older version made, on a server that
 * changes it no more (before NATS 2.10). The server pushes the room's messages to this process, through a consumer that
 * lives as long as somebody follows. Its deliveries are counted, so nothing is missed unseen: where one is missing, or the
 * server is silent, another consumer goes on behind the last item.
 */
import * as DirectGet from "@armoricore/nats/DirectGet"
import { natsRequest } from "@armoricore/nats/NatsErrors"
import { Deferred, Duration, Effect, Schedule } from "effect"
import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  type JetStreamManager,
  type Msg,
  nanos,
  type NatsConnection as Client,
} from "nats"
import type { AppendNotification } from "../History.ts"
import { streamName, subjectOf } from "./NatsHistoryStream.ts"

const resource = `stream ${streamName}`

/** The server says something at least this often. */
const heartbeat = Duration.seconds(2)
const patience = Duration.seconds(6)
/** The server forgets a consumer by itself when the process is gone. */
const forgottenAfter = Duration.seconds(10)

interface Nats {
  readonly client: Client
  readonly manager: JetStreamManager
}

/** Returns once nothing is missed any more; follows until the scope closes. */
export const subscribe = Effect.fnUntraced(function* (
  { client, manager }: Nats,
  room: string,
  inboxPrefix: string | undefined,
  onAppend: (added: AppendNotification) => void,
) {
  const before = yield* DirectGet.get(client, streamName, { last_by_subj: subjectOf(room) })
  let last = before?.sequence ?? 0
  const opened = yield* Deferred.make<void>()

  /** Returns when the consumer is of no use any more. */
  const consume = Effect.gen(function* () {
    const broken = yield* Deferred.make<void>()
    const inbox = inboxPrefix === undefined ? createInbox() : createInbox(inboxPrefix)
    let delivered = 0
    let isAlive = true
    const hear = (error: Error | null, message: Msg): void => {
      isAlive = true
      if (error !== null || Deferred.isDoneUnsafe(broken)) return void Deferred.doneUnsafe(broken, Effect.void)
      const place = placeOf(message)
      if (place === undefined) {
        // A heartbeat, which says how many were delivered; any other status is the end of it.
        if (message.headers?.get("Nats-Last-Consumer") !== String(delivered)) Deferred.doneUnsafe(broken, Effect.void)
        return
      }
      if (place.delivered !== delivered + 1) return void Deferred.doneUnsafe(broken, Effect.void)
      delivered = place.delivered
      const previousSeq = last
      last = place.seq
      const id = (message.headers?.get("Nats-Msg-Id") ?? "").slice(room.length + 1)
      onAppend({ item: { seq: last, id, body: message.data }, previousSeq })
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => client.subscribe(inbox, { callback: hear })),
      (subscription) => Effect.sync(() => subscription.unsubscribe()),
    )
    yield* natsRequest(resource, () =>
      manager.consumers.add(streamName, {
        deliver_subject: inbox,
        filter_subject: subjectOf(room),
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: last + 1,
        ack_policy: AckPolicy.None,
        idle_heartbeat: nanos(Duration.toMillis(heartbeat)),
        inactive_threshold: nanos(Duration.toMillis(forgottenAfter)),
        mem_storage: true,
        num_replicas: 1,
      }),
    )
    yield* Deferred.succeed(opened, undefined)
    const silent = Effect.suspend(() => {
      const wasAlive = isAlive
      isAlive = false
      return Effect.succeed(wasAlive)
    }).pipe(Effect.delay(patience), Effect.repeat({ while: (wasAlive) => wasAlive }))
    yield* Effect.raceFirst(Deferred.await(broken), silent)
  })

  yield* Effect.forkScoped(
    Effect.scoped(consume).pipe(
      Effect.tapError((error) => Effect.logDebug(`${room} is followed again`, error)),
      Effect.ignore,
      Effect.repeat(Schedule.spaced("500 millis")),
    ),
  )
  yield* Deferred.await(opened)
})

/** `undefined`: not an item, but what the server says about the consumer. */
const placeOf = ({ reply = "" }: Msg) => {
  // $JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<delivered>…, with a domain and an account behind ACK on newer servers.
  const parts = reply.split(".")
  if (parts[1] !== "ACK") return undefined
  const at = parts.length > 9 ? 7 : 5
  return { seq: Number(parts[at]), delivered: Number(parts[at + 1]) }
}

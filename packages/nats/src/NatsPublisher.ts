/**
 * Publishes with acknowledgement through one inbox of its own: a request per message would cost five times the CPU.
 *
 * An acknowledgement that does not come within 5 s is a TransientError `timeout`; the message may be stored all the same,
 * so whoever repeats it keeps its id and the stream drops the second.
 */
import { ConfigurationError, type PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Effect, Stream } from "effect"
import { Events, type Msg, type NatsConnection as Client, createInbox } from "nats"
import * as MessageSize from "@armoricore/domain/MessageSize"
import { publishErrorFrom } from "./NatsErrors.ts"
import * as NatsHeaders from "./NatsHeaders.ts"

const ackTimeout = 5_000

type PublishError = TransientError | PermanentError | ConfigurationError

interface PendingAck {
  readonly subject: string
  readonly deadline: number
  readonly resume: (result: Effect.Effect<StreamPublishAck, PublishError>) => void
}

/** The sequence that the message got in its stream. */
export interface StreamPublishAck {
  /** True when the stream has stored a message with this id within its duplicate window: nothing was stored now. */
  readonly duplicate: boolean
  readonly sequence: number
}

export interface Publisher {
  /**
   * `id` undefined: no duplicate is looked for. A message that expected another last sequence fails with
   * TransientError `wrong_sequence`.
   */
  readonly publish: (
    subject: string,
    id: string | undefined,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ) => Effect.Effect<StreamPublishAck, PublishError>
}

/**
 * Ends with the scope; what then waits fails as unavailable. `orphaned` says why no stream takes a subject: there is
 * none, or its members are choosing a leader just now.
 */
export const make = Effect.fnUntraced(function* (
  client: Client,
  inboxPrefix: string | undefined,
  onNoStream: (subject: string) => Effect.Effect<never, PublishError> = (subject) => Effect.fail(noStream(subject)),
) {
  const inbox = inboxPrefix === undefined ? createInbox() : createInbox(inboxPrefix)
  const pending = new Map<string, PendingAck>()
  let lastToken = 0

  const settle = (token: string, result: Effect.Effect<StreamPublishAck, PublishError>) => {
    const entry = pending.get(token)
    pending.delete(token)
    entry?.resume(result)
  }

  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const subscription = client.subscribe(`${inbox}.*`, {
        callback: (error, message) => {
          if (error !== null) return
          const token = message.subject.slice(inbox.length + 1)
          const entry = pending.get(token)
          if (entry !== undefined) settle(token, parsePublishAck(entry.subject, message, onNoStream))
        },
      })
      // Entries lie in the order of their deadlines, so a look at the first is enough.
      const watch = setInterval(() => {
        const now = Date.now()
        for (const [token, entry] of pending) {
          if (entry.deadline > now) break
          settle(token, Effect.fail(ackTimedOut(entry.subject)))
        }
      }, 250)
      return { subscription, watch }
    }),
    ({ subscription, watch }) =>
      Effect.sync(() => {
        clearInterval(watch)
        subscription.unsubscribe()
        for (const [token, entry] of pending) settle(token, Effect.fail(ackTimedOut(entry.subject)))
      }),
  )

  // The server answers a forbidden publication only on the side. Ends with the scope.
  yield* Effect.forkScoped(
    Stream.fromAsyncIterable(client.status(), (cause) => cause).pipe(
      Stream.runForEach((event) =>
        Effect.sync(() => {
          const context = event.type === Events.Error ? event.permissionContext : undefined
          if (context?.operation !== "publish") return
          for (const [token, entry] of pending) {
            if (entry.subject === context.subject) settle(token, Effect.fail(publishForbidden(entry.subject)))
          }
        }),
      ),
      Effect.ignore,
    ),
  )

  const publisher: Publisher = {
    publish: (subject, id, body, extra) =>
      Effect.callback((resume) => {
        const limit = client.info?.max_payload ?? MessageSize.maxMessageBytes
        const bytes = MessageSize.messageBytes(body, extra) + (id?.length ?? 0) + 32
        if (bytes > limit) return resume(Effect.fail(MessageSize.tooLarge(subject, bytes, limit)))
        const token = (++lastToken).toString(36)
        pending.set(token, { subject, resume, deadline: Date.now() + ackTimeout })
        const headers = NatsHeaders.make(id, extra)
        try {
          client.publish(subject, body, { headers, reply: `${inbox}.${token}` })
        } catch (cause) {
          settle(
            token,
            Effect.fail(
              new TransientError({
                dependency: "bus",
                code: "unavailable",
                message: "The connection to NATS is closed",
                cause,
              }),
            ),
          )
        }
        return Effect.sync(() => void pending.delete(token))
      }),
  }
  return publisher
})

const forbiddenPrefix = "subject "

/** Tells a missing right from a missing stream. */
export const isForbidden = ({ setting }: ConfigurationError): boolean => setting.startsWith(forbiddenPrefix)

const publishForbidden = (subject: string): ConfigurationError =>
  new ConfigurationError({
    setting: forbiddenPrefix + subject,
    message: `The NATS user may not publish ${subject}; extend its permissions`,
  })

const ackTimedOut = (subject: string): TransientError =>
  new TransientError({
    dependency: "bus",
    code: "timeout",
    message: `NATS did not acknowledge the message for ${subject} within ${ackTimeout} ms`,
  })

export const noStream = (subject: string): ConfigurationError =>
  new ConfigurationError({
    setting: `stream of ${subject}`,
    message: `No stream stores ${subject}; run "armoricore setup" against this NATS server`,
  })

const parsePublishAck = (
  subject: string,
  message: Msg,
  onNoStream: (subject: string) => Effect.Effect<never, PublishError>,
): Effect.Effect<StreamPublishAck, PublishError> => {
  if (message.data.byteLength === 0) return onNoStream(subject)
  // JetStream's PubAck, a fixed shape of the protocol.
  const ack = message.json<{
    readonly duplicate?: boolean
    readonly seq?: number
    readonly error?: { readonly code: number; readonly err_code?: number; readonly description: string }
  }>()
  return ack.error === undefined
    ? Effect.succeed({ duplicate: ack.duplicate === true, sequence: ack.seq ?? 0 })
    : Effect.fail(publishErrorFrom(subject, ack.error))
}

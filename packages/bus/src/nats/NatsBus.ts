/**
 * The bus on NATS JetStream. The connection is a service of its own (`NatsConnection`) that NATS KV and history share;
 * `layer` requires it, `layerWithConnection` provides it.
 *
 * Streams are created or checked after the first connection. A publisher never waits for a server: it fails with
 * `unavailable` at once. A consumer or subscriber that starts without a server waits for one.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Deferred, Effect, type Exit, Layer, Schedule, Scope, Stream } from "effect"
import { headers as newHeaders, type JetStreamManager } from "nats"
import { subject } from "../Address.ts"
import * as ConsumerLoop from "../ConsumerLoop.ts"
import { EventBus, type PublishAck } from "../EventBus.ts"
import * as Limits from "../Limits.ts"
import * as Subscribers from "../Subscribers.ts"
import { pattern } from "../Subjects.ts"
import { NatsConnection, type NatsOptions, layer as connectionLayer } from "@armoricore/nats/NatsConnection"
import { type NatsRequestError, natsRequest, isNotFound, noLeader } from "@armoricore/nats/NatsErrors"
import * as MaxDeliverAdvisories from "./MaxDeliverAdvisories.ts"
import * as NatsDeadLetterBodies from "./NatsDeadLetterBodies.ts"
import * as NatsDeadLetters from "./NatsDeadLetters.ts"
import * as NatsHandledEvents from "./NatsHandledEvents.ts"
import * as NatsMessage from "@armoricore/nats/NatsMessage"
import * as NatsPublisher from "@armoricore/nats/NatsPublisher"
import { discardsOldWhenFull } from "@armoricore/nats/ServerFaults"
import * as NatsPullSource from "./NatsPullSource.ts"
import { type StreamOptions, ensureConsumer, ensureStreams, streamOf, streamOfSubject } from "./NatsStreams.ts"

export interface NatsBusOptions extends StreamOptions {
  /** As in `NatsOptions`. */
  readonly inboxPrefix?: string
}

const make = Effect.fnUntraced(function* (options: NatsBusOptions) {
  const connection = yield* NatsConnection
  const scope = yield* Effect.scope
  const publisherReady = yield* Deferred.make<NatsPublisher.Publisher, NatsRequestError>()
  let publisherExit: Exit.Exit<NatsPublisher.Publisher, NatsRequestError> | undefined
  // Owned by the layer. Ends when the streams are ready, or with a ConfigurationError.
  yield* Effect.forkScoped(
    Effect.gen(function* () {
      const client = yield* connection.connected
      const { manager } = yield* connection.jetstream
      yield* ensureStreams(manager, options)
      if (discardsOldWhenFull(client.info?.version ?? ""))
        yield* Effect.logWarning(discardWarning(client.info?.version ?? ""))
      return yield* NatsPublisher.make(client, options.inboxPrefix, explainNoStream(manager))
    }).pipe(
      Scope.provide(scope),
      Effect.tapError((error) => Effect.logError(error.message)),
      Effect.retry({ while: (error) => error._tag === "TransientError", schedule: retrySchedule }),
      Effect.onExit((exit) => {
        publisherExit = exit
        return Deferred.done(publisherReady, exit)
      }),
    ),
  )

  const awaitPublisher = Effect.suspend(
    () =>
      // A timeout costs a fiber and a timer per message, so it is applied only until the streams are ready.
      publisherExit ??
      Effect.timeoutOrElse(Deferred.await(publisherReady), {
        duration: "5 seconds",
        orElse: () => Effect.fail(streamsNotReady),
      }),
  )

  const publish: EventBus["Service"]["publish"] = ({ address, id, body, headers = {} }) =>
    // Fails while disconnected instead of buffering messages in memory.
    Effect.flatMap(connection.jetstream, ({ client, js }) =>
      Effect.flatMap(awaitPublisher, (publisher) => {
        const target = subject(address)
        const fault = Limits.headerFault(id, headers)
        if (fault !== undefined) return Effect.fail(fault)
        const bytes = Limits.messageBytes(body, headers)
        const fits = bytes + headerOverheadBytes <= (client.info?.max_payload ?? Limits.maxMessageBytes)
        if (fits || address.channel !== "dead")
          return Effect.map(publisher.publish(target, id, body, headers), toPublishAck)
        if (bytes > Limits.maxDeadLetterBytes)
          return Effect.fail(Limits.tooLarge(target, bytes, Limits.maxDeadLetterBytes))
        const reference = { ...headers, [NatsDeadLetterBodies.bodyObjectHeader]: id }
        return NatsDeadLetterBodies.put(js, id, body).pipe(
          Effect.andThen(publisher.publish(target, id, new Uint8Array(), reference)),
          Effect.map(toPublishAck),
        )
      }),
    )

  return EventBus.of({
    system: "nats",
    publish,
    consume: Effect.fnUntraced(function* (wanted, handle) {
      yield* ConsumerLoop.checkName(wanted)
      const client = yield* connection.connected
      yield* Deferred.await(publisherReady)
      const manage = options.manage ?? "apply"
      const { manager } = yield* connection.jetstream.pipe(
        Effect.tap(({ manager }) => ensureConsumer(manager, wanted, manage)),
        ConsumerLoop.waitForBus(`Consumer ${wanted.name}`),
      )
      const source = yield* NatsPullSource.make({
        client,
        manager,
        inboxPrefix: options.inboxPrefix,
        statusChanges: connection.statusChanges,
        options: wanted,
        manage,
      })
      yield* MaxDeliverAdvisories.poll({ client, manager, source: streamOf(wanted.from), options: wanted, publish })
      return yield* ConsumerLoop.run(wanted, source, handle, publish)
    }),
    broadcast: Effect.fnUntraced(function* (address, body, extra = {}) {
      const client = yield* connection.client.pipe(
        Effect.catchTag("ConfigurationError", ({ message }) =>
          Effect.fail(new TransientError({ dependency: "bus", code: "unavailable", message })),
        ),
      )
      const limit = client.info?.max_payload ?? Limits.maxMessageBytes
      const bytes = Limits.messageBytes(body, extra)
      if (bytes > limit) return yield* Limits.tooLarge(subject(address), bytes, limit)
      const fault = Limits.headerFault("", extra)
      if (fault !== undefined) return yield* fault
      yield* Effect.try({
        try: () => {
          // A message without headers is smaller and cheaper to decode.
          const names = Object.keys(extra)
          if (names.length === 0) return client.publish(subject(address), body)
          const headers = newHeaders()
          for (const name of names) headers.set(name, extra[name] ?? "")
          client.publish(subject(address), body, { headers })
        },
        catch: (cause) =>
          new TransientError({
            dependency: "bus",
            code: "unavailable",
            message: "The connection to NATS is closed",
            cause,
          }),
      })
    }),
    subscribe: Effect.fnUntraced(function* (address, onMessage, onGap) {
      const client = yield* connection.connected
      const wanted = pattern(address)
      const subscribers = yield* Subscribers.make
      subscribers.add(wanted, onMessage, onGap)
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          client.subscribe(wanted, {
            callback: (error, message) => {
              if (error === null) subscribers.publish(NatsMessage.received(message))
              else subscribers.notifyGap()
            },
          }),
        ),
        (subscription) => Effect.sync(() => subscription.unsubscribe()),
      )
      // A response to a later request proves that the server has processed the subscription.
      yield* natsRequest("listen", () => client.flush()).pipe(ConsumerLoop.waitForBus(`The subscription to ${wanted}`))
      if (onGap === undefined) return
      // Ends with the subscriber's scope.
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.drop(connection.statusChanges, 1), (status) =>
          status === "connected" ? Effect.sync(subscribers.notifyGap) : Effect.void,
        ),
      )
    }),
    removeHandled: NatsHandledEvents.remover(Effect.andThen(Deferred.await(publisherReady), connection.jetstream)),
    deadLetters: NatsDeadLetters.make(Effect.andThen(Deferred.await(publisherReady), connection.jetstream)),
    setup: Effect.fnUntraced(function* (wanted) {
      yield* connection.connected
      const { js, manager } = yield* connection.jetstream
      const streams = yield* ensureStreams(manager, options)
      const manage = options.manage === "verify" ? "verify" : "keep"
      const consumers = yield* Effect.forEach(wanted, (consumer) =>
        ensureConsumer(manager, { ...consumer, maxDeliveries: workerMaxDeliver }, manage),
      )
      if (options.manage !== "verify") yield* NatsDeadLetterBodies.ensure(js, manager, options.replicas)
      return [...streams, ...consumers]
    }),
    status: connection.status,
    statusChanges: connection.statusChanges,
  })
})

const discardWarning = (version: string): string =>
  `NATS ${version} may delete the oldest events of a full stream instead of refusing new ones, handled or not; use nats-server 2.10.5 or newer, or set NATS_EVENTS_MAX_BYTES well above the size of 7 days of events`

/** The streams were ready at the start; since then one was deleted, or a cluster lost a member. */
const explainNoStream = (manager: JetStreamManager) => (target: string) => {
  const missing = NatsPublisher.noStream(target)
  const stream = streamOfSubject(target)
  if (stream === undefined) return Effect.fail(missing)
  return Effect.flatMap(
    Effect.result(Effect.tryPromise({ try: () => manager.streams.info(stream), catch: (cause) => cause })),
    (info) => Effect.fail(info._tag === "Failure" && isNotFound(info.failure) ? missing : noLeader(`stream ${stream}`)),
  )
}

/** The sequence of the stream stays inside the adapter. */
const toPublishAck = ({ duplicate }: NatsPublisher.StreamPublishAck): PublishAck => ({ duplicate })

/** Bytes of the message id and of the protocol's own lines. */
const headerOverheadBytes = 1_024

/** The settings of consumers whose workers dead-letter exhausted messages. */
const workerMaxDeliver = ConsumerLoop.defaults.maxDeliveries + 2

const retrySchedule = Schedule.spaced("1 second")

const streamsNotReady = new TransientError({
  dependency: "bus",
  code: "unavailable",
  message: "The streams on NATS are not ready yet; retrying",
})

/** On a connection that another layer owns. */
export const layer = (options: NatsBusOptions = {}): Layer.Layer<EventBus, never, NatsConnection> =>
  Layer.effect(EventBus, make(options))

/** With its own connection, which it also provides to NATS KV and history. */
export const layerWithConnection = (options: NatsOptions & StreamOptions): Layer.Layer<EventBus | NatsConnection> =>
  Layer.provideMerge(layer(options), connectionLayer(options))

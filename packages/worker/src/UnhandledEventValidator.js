/**
 * Validates the events that no worker of this installation handles. An event of an unknown type, from a forged source or
 * with an invalid payload becomes a dead letter of the service `guard`. Handled types are left to their own workers,
 * because each invalid event would give two dead letters otherwise.
 */
import { prefixes } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { InvalidEvent } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Duration, Effect, Option, Result } from "effect";
import { Ledger } from "./ledger/Ledger.ts";
import { authorizeWith, publishPolicyOf, withoutProofs } from "./PublishPolicy.ts";
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts";
export const consumerName = "guard";
const validate = (handledTypes, ledger) => (delivery) => Effect.gen(function* () {
    const type = delivery.subject.slice(prefixes.event.length);
    if (handledTypes.has(type))
        return { _tag: "Ack" };
    const isMarkedReplay = DeadLetterRecord.headerOf(delivery, DeadLetterRecord.replayOfHeader) !== undefined;
    const replay = isMarkedReplay ? yield* ledger.replays.find(delivery) : Option.none();
    const publishPolicy = yield* Effect.withFiber((fiber) => Effect.succeed(publishPolicyOf(fiber)));
    const policy = Option.isSome(replay) ? withoutProofs(publishPolicy) : publishPolicy;
    const validated = yield* EventCodec.decode(delivery.body).pipe(Effect.flatMap(({ event }) => Effect.andThen(authorizeWith(policy, event, delivery), requireMatchingSubject(event.event_type, type))), Effect.result);
    if (Result.isSuccess(validated)) {
        const original = Option.isSome(replay) ? replay.value.original : undefined;
        if (original !== undefined)
            yield* DeadLetterRecord.removeOriginal(original);
        return { _tag: "Ack" };
    }
    return yield* DeadLetterRecord.disposition("guard", consumerName, delivery, {
        ...validated.failure,
        message: validated.failure.message,
        attempts: 1,
        firstAt: delivery.arrivedAt,
        // A replay must reach consumers that are added later.
        shared: true,
    });
}).pipe(Effect.catch((error) => Effect.as(Effect.logWarning(`The event is redelivered: ${error.message}`), {
    _tag: "Retry",
    after: Duration.seconds(1),
})));
/** A valid event on the subject of another type would reach no consumer of its own type. */
const requireMatchingSubject = (eventType, subjectType) => eventType === subjectType
    ? Effect.void
    : Effect.fail(new InvalidEvent({
        reason: "invalid",
        path: "event_type",
        message: `an event of type ${eventType} arrived on the subject of ${subjectType}`,
    }));
/**
 * Runs until the scope closes. `ownTypes`: unhandled types that only this program can publish on its bus, so that they need no
 * validation.
 */
export const run = Effect.fn("UnhandledEventValidator.run")(function* (handledTypes, ownTypes = []) {
    const bus = yield* EventBus;
    const ledger = yield* Ledger;
    yield* bus.consume({
        name: consumerName,
        from: "all-events",
        skips: [...handledTypes, ...ownTypes],
        concurrency: 8,
        onMaxDeliveries: DeadLetterRecord.onMaxDeliveries("guard", consumerName),
    }, validate(handledTypes, ledger));
});

/**
 * Erases a user: each service consumes `user.erase_requested` and removes the user from its own stores, because a service may
 * write only those. It repeats the pass over its stores until one finds nothing: work that was in a queue meanwhile may have
 * stored something again. The coordinator waits for all services that have registered and then publishes `user.erased`.
 *
 * Every step may be repeated, so an erasure that was interrupted continues with the next delivery of its request.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { erasedUserKey } from "@armoricore/domain/ErasureState";
import * as Collection from "@armoricore/state/Collection";
import { erasedUsers, erasures, erasingServices } from "@armoricore/state/ErasureStates";
import { Clock, Duration, Effect, Option } from "effect";
import { on } from "../Handler.ts";
import { emit } from "../ResultMessage.ts";
/** Registers the service and returns its handler of `user.erase_requested`. */
export const handler = Effect.fnUntraced(function* (service, stores, { isCoordinator = false, pause = Duration.seconds(2) } = {}) {
    const progress = yield* Collection.make(erasures);
    const users = yield* Collection.make(erasedUsers);
    const services = yield* Collection.make(erasingServices);
    yield* services.put(service, { stores: stores.map(({ name }) => name) });
    const again = (code, message) => new TransientError({
        dependency: "erasure",
        code,
        message,
        countsAsAttempt: false,
        retryAfterMillis: Duration.toMillis(pause),
    });
    /** The newest request counts. */
    const remember = (userId, requestedAt) => users.modifyOrRetry(erasedUserKey(userId), (current) => {
        const known = Option.getOrUndefined(current)?.value.requested_at;
        const isNewer = known === undefined || Date.parse(known) < Date.parse(requestedAt);
        return Effect.succeed([undefined, isNewer ? Option.some({ requested_at: requestedAt }) : Option.none()]);
    });
    const record = (requestId, requestedAt, removed) => progress.modifyOrRetry(requestId, (current) => {
        const before = Option.getOrUndefined(current)?.value ?? { requested_at: requestedAt, services: {} };
        const own = before.services[service]?.removed ?? {};
        const total = Object.fromEntries(stores.map(({ name }) => [name, (own[name] ?? 0) + (removed[name] ?? 0)]));
        const is_clean = Object.values(removed).every((count) => count === 0);
        const next = { ...before, services: { ...before.services, [service]: { removed: total, is_clean } } };
        return Effect.succeed([next, Option.some(next)]);
    });
    const unfinishedServices = Effect.fnUntraced(function* (state) {
        const registered = yield* services.list({ limit: maxServices });
        return registered.map(({ key }) => key).filter((key) => state.services[key]?.is_clean !== true);
    });
    const erase = Effect.fn("Erasure.erase")(function* ({ event_id: requestId, payload, timestamp: requestedAt }, { publishEarly }) {
        const { user_id: userId } = payload;
        yield* remember(userId, requestedAt);
        const removed = {};
        for (const store of stores) {
            removed[store.name] = yield* store.erase({ userId, requestId, requestedAt, publish: publishEarly });
        }
        const state = yield* record(requestId, requestedAt, removed);
        if (state.services[service]?.is_clean !== true) {
            return yield* again("erasing", `${service} has removed data of the user and looks once more`);
        }
        if (!isCoordinator)
            return [];
        const waiting = yield* unfinishedServices(state);
        if (waiting.length > 0) {
            return yield* again("waiting", `the erasure waits for ${waiting.join(" and ")}; start these services`);
        }
        const erasedAt = new Date(yield* Clock.currentTimeMillis).toISOString();
        return [emit("user.erased", { user_id: userId, removed: totals(state), erased_at: erasedAt })];
    });
    return on("user.erase_requested", { handle: erase, onFailure: () => [], timeout: Duration.hours(6) });
});
/** More services than an installation has. */
const maxServices = 100;
/** Stores of two services with the same name are one. */
const totals = ({ services }) => {
    const sum = {};
    for (const { removed } of Object.values(services)) {
        for (const [name, count] of Object.entries(removed))
            sum[name] = (sum[name] ?? 0) + count;
    }
    return sum;
};
/** Whether an event about a user is older than the user's erasure, so that its work must not be done any more. */
export const makePrecedesErasure = Effect.gen(function* () {
    const users = yield* Collection.make(erasedUsers);
    return Effect.fn("Erasure.precedesErasure")(function* (userId, timestamp) {
        const erased = Option.getOrUndefined(yield* users.get(erasedUserKey(userId)))?.value;
        return erased !== undefined && Date.parse(timestamp) <= Date.parse(erased.requested_at);
    });
});

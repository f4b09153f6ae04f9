/** Handlers of the events that change what is stored for a user: the in-app inbox, and the registry of devices. */
import * as Timestamp from "@armoricore/domain/Timestamp";
import { UserDevices } from "@armoricore/state/UserDevices";
import { on } from "@armoricore/worker/Handler";
import { Effect, RcMap } from "effect";
import { Inboxes } from "../inbox/Inboxes.ts";
const concurrency = 16;
export const storeInboxItem = (userLocks) => on("inbox.item", {
    concurrency,
    // The inbox stores an item id once.
    idempotent: true,
    handle: Effect.fnUntraced(function* ({ payload: { data = {}, item_id, user_id, ...fields } }) {
        const inboxes = yield* Inboxes;
        const userLock = yield* RcMap.get(userLocks, user_id);
        yield* userLock.withPermit(inboxes.add(user_id, { ...fields, id: item_id, data }));
        return [];
    }, Effect.scoped),
    onFailure: () => [],
});
/** A token that its device registered again since the provider's report stays. */
export const removeInvalidDevice = on("device.token_invalid", {
    concurrency,
    // A second run finds the device as the first left it.
    idempotent: true,
    handle: Effect.fnUntraced(function* ({ payload: { invalid_since, reason, token_hash }, timestamp }) {
        const devices = yield* UserDevices;
        yield* devices.markInvalid({ tokenHash: token_hash, reason, since: Timestamp.toMillis(invalid_since ?? timestamp) });
        return [];
    }),
    onFailure: () => [],
});
export const restoreDevice = on("device.token_restored", {
    concurrency,
    idempotent: true,
    handle: ({ payload: { token_hash } }) => Effect.as(Effect.flatMap(UserDevices, (devices) => devices.restore(token_hash)), []),
    onFailure: () => [],
});

import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as Collection from "@armoricore/state/Collection";
import * as States from "@armoricore/state/NotificationStates";
import { SuppressionList } from "@armoricore/state/SuppressionList";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import * as NotifyErasure from "../../src/erasure/NotifyErasure.ts";
const canary = "canary-77ab";
const request = (userId) => ({
    userId,
    requestId: "r1",
    requestedAt: "2026-02-01T12:00:00Z",
    publish: () => Effect.void,
});
const store = Effect.fnUntraced(function* (id, userId) {
    const state = yield* KeyValue;
    const notifications = yield* Collection.make(States.notificationStates);
    const mailbox = yield* Collection.make(States.inboxMessages);
    const address = `${canary}-${userId}@example.com`;
    yield* notifications.put(id, {
        notification_id: id,
        user_id: userId,
        notification_type: "email",
        status: "sent",
        source_event_id: `event-${id}`,
        content: { title: canary, text: canary, data: {} },
        deliveries: [{ delivery_id: `${id}.email.1`, target: { channel: "email", address } }],
        requested_at: 1,
        updated_at: "2026-01-31T12:00:00Z",
    });
    for (const key of [`${id}.email.1`, `${id}.batch.0`, `event-${id}.request`])
        yield* state.put(States.deliveryStates.bucket, key, canary);
    yield* mailbox.put(`${id}.email.1`, {
        message_id: `${id}.email.1`,
        user_id: userId,
        notification_id: id,
        channel: "email",
        to: address,
        title: canary,
        text: canary,
        data: {},
        attachments: [],
        received_at: "2026-01-31T12:00:00Z",
    });
    yield* (yield* SuppressionList).add({ address }, { reason: "bounced", evidence: `550 ${address}`, delivery_id: `${id}.email.1` });
    return address;
});
describe("NotifyErasure", () => {
    it.effect("removes notifications, deliveries, mail and quoted replies of one user; the address stays suppressed", () => Effect.gen(function* () {
        const state = yield* KeyValue;
        const address = yield* store("n1", "u1");
        yield* store("n2", "u2");
        const stores = yield* NotifyErasure.makeStores;
        const pass = Effect.gen(function* () {
            const removed = {};
            for (const { erase, name } of stores)
                removed[name] = yield* erase(request("u1"));
            return removed;
        });
        assert.deepStrictEqual(yield* pass, { suppression_reasons: 1, notifications: 1, mailbox: 1, workflow_runs: 0 });
        assert.deepStrictEqual(yield* pass, { suppression_reasons: 0, notifications: 0, mailbox: 0, workflow_runs: 0 });
        for (const { bucket } of [
            States.notificationStates,
            States.deliveryStates,
            States.inboxMessages,
            States.suppressions,
        ]) {
            const entries = yield* state.list(bucket, { limit: 100 });
            assert.isNotEmpty(entries);
            for (const { key, value } of entries)
                assert.notInclude(`${key} ${value}`, bucket === States.suppressions.bucket ? `${canary}-u1` : "n1");
        }
        const { entries } = yield* (yield* SuppressionList).list({ address, limit: 10 });
        assert.deepInclude(entries[0], { reason: "bounced" });
        assert.notProperty(entries[0], "evidence");
    }).pipe(Effect.provide(Layer.mergeAll(SuppressionList.layer, Ledger.layer).pipe(Layer.provideMerge(MemoryState.layer)))));
});

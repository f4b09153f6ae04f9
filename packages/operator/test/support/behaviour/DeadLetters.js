/** Suppressions and dead letters. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { on } from "@armoricore/worker/Handler";
import * as Worker from "@armoricore/worker/Worker";
import { assert } from "@effect/vitest";
import { Effect } from "effect";
import { withToken, tokenFor } from "../OperatorHarness.ts";
import { eventually } from "@armoricore/testing/Eventually";
import { publish, uploadedEvent } from "./Harness.ts";
export const deadLetterBehaviour = (test) => {
    test("adds, finds and removes a suppression", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        const address = "anna@example.org";
        const added = yield* op(client.AddSuppression({ address, note: "asked by phone" }));
        assert.deepInclude(added, { reason: "manual", source: "op", evidence: "asked by phone" });
        assert.deepStrictEqual((yield* op(client.ListSuppressions({ address }))).entries, [added]);
        yield* op(client.RemoveSuppression({ hash: added.hash }));
        assert.isEmpty((yield* op(client.ListSuppressions({}))).entries);
        const missing = yield* Effect.flip(op(client.RemoveSuppression({ address })));
        assert.deepInclude(missing, { _tag: "ActionRejected", code: "not_found" });
        const wrong = yield* Effect.flip(op(client.AddSuppression({ address: "anna" })));
        assert.deepInclude(wrong, { _tag: "ActionRejected", code: "invalid_address" });
    }));
    test("shows a dead letter, replays it edited, and discards another one", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        const handled = [];
        yield* Worker.run("media", [
            on("media.uploaded", {
                handle: ({ payload }) => Effect.sync(() => (handled.push(payload.media_id), [])),
                onFailure: () => [],
            }),
        ]);
        const broken = uploadedEvent("m1");
        yield* publish({ ...broken, payload: { ...broken.payload, user_id: "" } });
        yield* publish({ ...uploadedEvent("m2"), payload: {} });
        const letters = yield* eventually(op(client.ListDeadLetters({})), ({ length }) => length === 2);
        const [letter, other] = letters;
        assert.deepInclude(letter, { service: "media", reason: "invalid", path: "payload.user_id" });
        assert.strictEqual(letter?.trace_id, "0af7651916cd43dd8448eb211c80319c");
        const id = letter?.id ?? "";
        const { body } = yield* op(client.GetDeadLetter({ id }));
        const refusal = yield* Effect.flip(op(client.ReplayDeadLetter({ id, body: "{" })));
        assert.deepInclude(refusal, { _tag: "ActionRejected", code: "undecodable" });
        yield* op(client.ReplayDeadLetter({ id, body: body.replace('"user_id":""', '"user_id":"ada"') }));
        yield* eventually(Effect.sync(() => handled), ({ length }) => length === 1);
        assert.deepStrictEqual(handled, ["m1"]);
        yield* op(client.DiscardDeadLetter({ id: other?.id ?? "" }));
        assert.deepStrictEqual(yield* op(client.ListDeadLetters({})), []);
        const gone = yield* Effect.flip(op(client.GetDeadLetter({ id })));
        assert.deepInclude(gone, { _tag: "ActionRejected", code: "not_found" });
    }));
    test("searches dead letters newest first, counts them, and groups them by cause", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        yield* Worker.run("media", [on("media.uploaded", { handle: () => Effect.succeed([]), onFailure: () => [] })]);
        for (const at of [1, 2, 3]) {
            const { payload, ...envelope } = uploadedEvent(`film-${at}`);
            yield* publish({ ...envelope, payload: { ...payload, user_id: "" } });
        }
        const foreign = { ...uploadedEvent("film-4"), source: "shop" };
        yield* publish(foreign);
        const bus = yield* EventBus;
        const text = new TextEncoder().encode("no JSON");
        yield* bus.publish({ address: event("media.uploaded"), id: "raw", body: text });
        const search = (request) => op(client.SearchDeadLetters(request));
        const all = yield* eventually(search({}), ({ total }) => total === 5);
        const ids = all.letters.map(({ id }) => Number(id));
        assert.deepStrictEqual(ids, ids.toSorted((a, b) => b - a));
        // The body of the newest is not JSON; its type is that of the subject.
        assert.deepInclude(all.letters[0], { event_type: "media.uploaded", reason: "undecodable" });
        assert.deepStrictEqual(all.causes.map(({ count, reason }) => [reason, count]).sort(), [
            ["invalid", 3],
            ["unauthorized", 1],
            ["undecodable", 1],
        ].sort());
        const [cause] = all.causes;
        assert.deepInclude(cause, { service: "media", reason: "invalid", path: "payload.user_id" });
        assert.deepStrictEqual([all.reasons, all.types], [["invalid", "unauthorized", "undecodable"], ["media.uploaded"]]);
        const second = yield* search({ offset: 1, limit: 2 });
        assert.deepStrictEqual([second.matching, second.letters.length], [5, 2]);
        assert.strictEqual((yield* search({ query: "FILM-2 user_id" })).matching, 1);
        const ofCause = yield* search({ cause: cause?.cause ?? "" });
        assert.deepStrictEqual([ofCause.matching, ofCause.total, ofCause.causes.length], [3, 5, 3]);
        const selected = yield* op(client.SelectDeadLetters({ cause: cause?.cause ?? "" }));
        assert.deepStrictEqual(selected.ids, ofCause.letters.map(({ id }) => id).toReversed());
        yield* op(client.DiscardDeadLetter({ id: selected.ids[0] ?? "" }));
        assert.strictEqual((yield* search({})).total, 4);
        // Another process discards one: a page that contains it leaves it out.
        yield* bus.deadLetters.remove(selected.ids[1] ?? "");
        assert.strictEqual((yield* search({ query: "film" })).letters.length, 2);
        assert.strictEqual((yield* search({})).total, 3);
    }));
};

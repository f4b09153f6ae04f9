/** Reviews of flagged messages. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { History } from "@armoricore/history/History";
import { assert } from "@effect/vitest";
import { Effect } from "effect";
import { withToken, tokenFor } from "../OperatorHarness.ts";
import { eventually } from "@armoricore/testing/Eventually";
import { bytes, publish } from "./Harness.ts";
export const reviewBehaviour = (test) => {
    test("holds a flagged message for one decision: approve or remove", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        const history = yield* History;
        const said = (content) => bytes({ event: "new_message", payload: { content } });
        yield* history.append("chat:room:tea", "c1", said("is this rude?"));
        const flag = (id) => ({
            event_type: "moderation.flagged",
            event_id: crypto.randomUUID(),
            source: "ai",
            timestamp: new Date().toISOString(),
            payload: {
                target: {
                    kind: "chat",
                    id,
                    room_id: "tea",
                    user_id: "ada",
                },
                reasons: ["word"],
                action: "review",
            },
        });
        const reported = [];
        const bus = yield* EventBus;
        yield* publish(flag("c1"));
        yield* publish(flag("c2"));
        const pending = yield* eventually(op(client.ListReviews({ status: "pending" })), ({ length }) => length === 2);
        yield* bus.subscribe(event("moderation.flagged"), ({ body }) => {
            reported.push(JSON.parse(new TextDecoder().decode(body)).payload);
        });
        const one = pending.find(({ message_id }) => message_id === "c1");
        assert.deepInclude(one, { conversation_id: "tea", user_id: "ada", content: "is this rude?", reasons: ["word"] });
        yield* op(client.RemoveReview({ review_id: one?.review_id ?? "" }));
        yield* op(client.ApproveReview({ review_id: "chat.tea.c2" }));
        assert.deepInclude(yield* Effect.flip(op(client.RemoveReview({ review_id: "chat.tea.c2" }))), {
            code: "too_late",
        });
        yield* eventually(Effect.sync(() => reported), ({ length }) => length === 1);
        assert.deepInclude(reported[0], { action: "remove", reasons: ["word"] });
        const decided = yield* op(client.ListReviews({}));
        assert.deepStrictEqual(decided.map(({ decided_by, message_id, status }) => [message_id, status, decided_by]).sort(), [
            ["c1", "removed", "op"],
            ["c2", "approved", "op"],
        ]);
    }));
    test("holds one review for a flood with its number of messages, filters, and decides on many at once", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        const since = "2026-01-31T12:00:00.000Z";
        const flag = (id, user_id, more) => ({
            event_type: "moderation.flagged",
            event_id: crypto.randomUUID(),
            source: "ai",
            timestamp: new Date().toISOString(),
            payload: { target: { kind: "chat", id, room_id: "tea", user_id }, action: "review", ...more },
        });
        // regression: each message of a flood was a review of its own, and 300 of them hid all others.
        for (const count of [10, 40, 20])
            yield* publish(flag(`f${count}`, "auth0|7", { reasons: ["flood"], flood: { count, since } }));
        for (const id of ["w1", "w2", "w3"])
            yield* publish(flag(id, "ada", { reasons: ["word"] }));
        const floods = yield* eventually(op(client.ListReviews({ reason: "flood" })), ([one, ...others]) => one?.count === 40 && others.length === 0);
        assert.deepInclude(floods[0], { user_id: "auth0|7", status: "pending" });
        assert.lengthOf(yield* op(client.ListReviews({ user_id: "auth0|7" })), 1);
        assert.lengthOf(yield* op(client.ListReviews({ conversation_id: "coffee" })), 0);
        const words = yield* eventually(op(client.ListReviews({ reason: "word" })), ({ length }) => length === 3);
        const ids = words.map(({ review_id }) => review_id);
        const result = yield* op(client.DecideReviews({ review_ids: [...ids, "chat.tea.none"], decision: "remove" }));
        assert.deepInclude(result, { decided: 3 });
        assert.deepStrictEqual(result.rejected.map(({ review_id }) => review_id), ["chat.tea.none"]);
        assert.lengthOf(yield* op(client.ListReviews({ status: "pending" })), 1);
    }));
};

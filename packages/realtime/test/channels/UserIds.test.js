/** User ids as identity providers issue them work in every place of the protocol, over two nodes. */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { assert, describe, it } from "@effect/vitest";
import { Context, Effect } from "effect";
import { make } from "../support/TestCluster.ts";
import { connect } from "../support/TestServer.ts";
const ids = [
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "ada@example.com",
    "urn:example:user:7",
    "f:98b3c1a4:ada.lovelace",
    "a.*>/%2F..#\\",
    "__proto__",
    "日本".repeat(64),
    "😀".repeat(128),
];
const at = "2026-01-31T12:00:00Z";
const waitFor = (client, event) => Effect.flatMap(client.next, (frame) => (frame[3] === event ? Effect.succeed(frame) : waitFor(client, event)));
describe("a user id of any characters", () => {
    for (const [index, id] of ids.entries()) {
        it.live(`${id.slice(0, 30)} joins its own topic only, receives and replays its events, is present and can be revoked`, () => Effect.gen(function* () {
            const { node } = yield* make();
            const [one, two] = [yield* node(), yield* node()];
            const topic = `user:${id}`;
            const [first, second] = [yield* connect(one, { user: id }), yield* connect(two, { user: id })];
            for (const client of [first, second]) {
                client.send("1", "1", topic, "phx_join", {});
                assert.deepStrictEqual((yield* client.next)[4]["status"], "ok");
            }
            const other = yield* connect(one, { user: Array.from(`${id}x`).slice(-128).join("") });
            other.send("1", "1", topic, "phx_join", {});
            assert.deepPropertyVal((yield* other.next)[4], "status", "error");
            const payload = {
                media_id: "m1",
                user_id: id,
                error: { code: "broken", message: "no picture" },
                failed_at: at,
            };
            yield* Context.get(one.services, EventBus).publish({
                address: Address.event("media.failed"),
                id: crypto.randomUUID(),
                body: Buffer.from(JSON.stringify({
                    event_type: "media.failed",
                    event_id: crypto.randomUUID(),
                    timestamp: at,
                    source: "media",
                    payload,
                })),
            });
            for (const client of [first, second]) {
                const [, , of, , received] = yield* waitFor(client, "media_failed");
                assert.deepStrictEqual([of, received["user_id"]], [topic, id]);
            }
            second.send("2", "2", topic, "phx_join", { since: 0 });
            const replay = (yield* waitFor(second, "phx_reply"))[4]["response"];
            assert.include(JSON.stringify(replay), '"no picture"');
            second.send("3", "3", `presence:room:r${index}`, "phx_join", {});
            const present = (yield* waitFor(second, "presence_state"))[4];
            assert.deepStrictEqual(Object.keys(present), [id]);
            yield* one.revocations.revoke({ userId: id });
            assert.strictEqual((yield* first.close).code, 4001);
            assert.strictEqual((yield* second.close).code, 4001);
        }));
    }
});

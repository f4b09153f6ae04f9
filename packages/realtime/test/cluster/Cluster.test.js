/** Several nodes over one bus and history in memory: sockets of every node receive the same. */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin";
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect, Fiber } from "effect";
import { encode } from "../../src/rooms/RoomEntry.ts";
import { make } from "../support/TestCluster.ts";
import { connect } from "../support/TestServer.ts";
const chat = "chat:room:r";
/** A client that joined the topic, with the response of its join. */
const enter = Effect.fnUntraced(function* (node, user, topic, payload = {}) {
    const client = yield* connect(node, { user });
    client.send("1", "1", topic, "phx_join", payload);
    const [, , , , { status, response }] = yield* client.next;
    assert.strictEqual(status, "ok");
    return { client, response };
});
const framesOf = (client, event) => client.received.map((message) => JSON.parse(message.toString())).filter(([, , , name]) => name === event);
const contents = (client) => framesOf(client, "new_message").map(([, , , , { content }]) => content);
const say = (client, content, ref = content) => client.send("1", ref, chat, "new_message", { content, client_id: content });
/** The present users, as the official client library would compute them from the received frames. */
const present = (client) => {
    const refs = new Map();
    const add = (users) => {
        for (const [user, { metas }] of Object.entries(users))
            for (const { phx_ref } of metas)
                refs.set(phx_ref, user);
    };
    for (const message of client.received) {
        const [, , , event, payload] = JSON.parse(message.toString());
        if (event === "presence_state") {
            refs.clear();
            add(payload);
        }
        if (event !== "presence_diff")
            continue;
        add(Object(payload["joins"]));
        for (const { metas } of Object.values(Object(payload["leaves"])))
            for (const { phx_ref } of metas)
                refs.delete(phx_ref);
    }
    return [...refs.values()].sort();
};
/** One request of a long-poll session: a push if it has a body, otherwise a poll. */
const poll = (one, token, session, body) => Effect.promise(async () => {
    const url = `http://127.0.0.1:${one.port}/socket/longpoll?vsn=2.0.0&token=${token}&token=${session}`;
    const init = body === undefined ? {} : { method: "POST", body, headers: { "content-type": "application/x-ndjson" } };
    const response = await (await fetch(url, init)).json();
    return response;
});
describe("several nodes", () => {
    it.live("every member receives every message once, in the same order on every node", () => Effect.gen(function* () {
        const { node } = yield* make();
        const nodes = [yield* node(), yield* node(), yield* node()];
        const people = yield* Effect.forEach(nodes, (one, index) => enter(one, `u${index}`, chat));
        for (let n = 0; n < 20; n++)
            for (const [index, { client }] of people.entries())
                say(client, `${index}-${n}`);
        yield* eventually(() => people.every(({ client }) => contents(client).length >= 60));
        const [first, ...others] = people.map(({ client }) => contents(client));
        assert.strictEqual(new Set(first).size, 60);
        for (const other of others)
            assert.deepStrictEqual(other, first);
        const seqs = people.map(({ client }) => framesOf(client, "new_message").map(([, , , , { seq }]) => Number(seq)));
        for (const list of seqs)
            assert.deepStrictEqual(list, [...list].sort((a, b) => a - b));
    }));
    it.live("a broadcast without history reaches the other nodes, but not the excluded sender", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", chat)).client;
        const carol = (yield* enter(a, "carol", chat)).client;
        const bob = (yield* enter(b, "bob", chat)).client;
        alice.send("1", "2", chat, "typing_start", {});
        yield* eventually(() => [bob, carol].every((client) => framesOf(client, "user_typing").length === 1));
        const typing = { user_id: "alice", room_id: "r", is_typing: true };
        assert.deepStrictEqual(framesOf(bob, "user_typing")[0]?.[4], typing);
        assert.deepStrictEqual(framesOf(alice, "user_typing"), []);
    }));
    it.live("a node receives only the topics of its own members", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", chat)).client;
        yield* enter(b, "bob", "chat:room:other");
        say(alice, "hello");
        yield* eventually(() => contents(alice).length === 1);
        assert.strictEqual(b.topics.counts.deliveries, 0);
    }));
    it.live("a member behind too large a gap joins again from its last message, and learns that it missed some", () => Effect.gen(function* () {
        const { node, history } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", chat)).client;
        const bob = (yield* enter(b, "bob", chat)).client;
        say(alice, "before");
        yield* eventually(() => contents(bob).length === 1);
        const [, , , , { seq: since }] = framesOf(bob, "new_message")[0] ?? assert.fail("bob received no message");
        yield* b.cut;
        const payload = (id) => ({
            id,
            content: id,
            user_id: "alice",
            room_id: "r",
            timestamp: "2026-01-01T00:00:00Z",
        });
        yield* Effect.forEach(Array.from({ length: 1_100 }, (_, n) => `m${n}`), (id) => history.append(chat, id, encode({ event: "new_message", payload: payload(id), droppable: false })), { discard: true });
        yield* b.heal;
        yield* eventually(() => framesOf(bob, "phx_error").length === 1);
        assert.deepStrictEqual(framesOf(bob, "phx_error")[0], ["1", "1", chat, "phx_error", { reason: "missed" }]);
        // Messages behind the gap are not delivered: the client would take their `seq` as its last one.
        assert.deepStrictEqual(contents(bob), ["before"]);
        bob.send("2", "again", chat, "phx_join", { since });
        yield* eventually(() => framesOf(bob, "phx_reply").some(([, ref]) => ref === "again"));
        const [, , , , reply] = framesOf(bob, "phx_reply").find(([, ref]) => ref === "again") ?? assert.fail();
        const { messages, more, next, recovered } = Object(reply["response"]);
        // The oldest stored ones first.
        assert.deepStrictEqual([messages[0].id, more, next, recovered], ["m100", true, messages.at(-1).seq, false]);
        say(alice, "after");
        yield* eventually(() => contents(bob).includes("after"));
    }));
    it.live("a partitioned node keeps serving its rooms, and catches up after it heals", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", chat)).client;
        const carol = (yield* enter(a, "carol", chat)).client;
        const bob = (yield* enter(b, "bob", chat)).client;
        say(alice, "before");
        yield* eventually(() => [alice, bob, carol].every((client) => contents(client).length === 1));
        yield* a.cut;
        say(alice, "alone 1");
        say(alice, "alone 2");
        yield* a.topics.broadcast(chat, "message_removed", { id: "x", reason: "spam" });
        say(bob, "meanwhile 1");
        say(bob, "meanwhile 2");
        yield* eventually(() => contents(carol).length === 3 && contents(bob).length === 3);
        assert.deepStrictEqual(contents(carol), ["before", "alone 1", "alone 2"]);
        yield* a.heal;
        yield* eventually(() => [alice, bob, carol].every((client) => contents(client).length >= 5));
        say(bob, "after");
        yield* eventually(() => [alice, bob, carol].every((client) => contents(client).includes("after")));
        const all = ["after", "alone 1", "alone 2", "before", "meanwhile 1", "meanwhile 2"];
        for (const client of [alice, bob, carol])
            assert.deepStrictEqual([...contents(client)].sort(), all);
        for (const client of [alice, bob, carol]) {
            assert.deepStrictEqual(framesOf(client, "message_removed").map(([, , , , payload]) => payload), [{ id: "x", reason: "spam" }]);
        }
    }));
    it.live("a removal during a partition reaches the partitioned node's sockets, once", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", chat)).client;
        const bob = (yield* enter(b, "bob", chat)).client;
        const remove = (id) => a.topics.broadcast(chat, "message_removed", { id, reason: "spam" });
        const removed = (client) => framesOf(client, "message_removed").map(([, , , , { id }]) => id);
        yield* remove("before");
        yield* eventually(() => removed(bob).length === 1);
        yield* b.cut;
        yield* remove("meanwhile");
        yield* eventually(() => removed(alice).length === 2);
        yield* b.heal;
        yield* eventually(() => removed(bob).length === 2);
        yield* remove("after");
        yield* eventually(() => [alice, bob].every((client) => removed(client).includes("after")));
        for (const client of [alice, bob])
            assert.deepStrictEqual(removed(client), ["before", "meanwhile", "after"]);
    }));
    it.live("a member that joined during a partition gets the messages of other nodes after it heals", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", chat)).client;
        yield* b.cut;
        const { client: bob, response } = yield* enter(b, "bob", chat);
        assert.deepStrictEqual(Object(response)["messages"], []);
        say(alice, "meanwhile");
        yield* eventually(() => contents(alice).length === 1);
        yield* b.heal;
        yield* eventually(() => framesOf(bob, "phx_error").length === 1 || contents(bob).length === 1);
        // The official client rejoins after phx_error.
        bob.send("2", "again", chat, "phx_join", {});
        yield* eventually(() => framesOf(bob, "phx_reply").some(([, ref]) => ref === "again"));
        const [, , , , reply] = framesOf(bob, "phx_reply").find(([, ref]) => ref === "again") ?? assert.fail();
        const { messages } = Object(reply["response"]);
        assert.deepStrictEqual([messages.length, messages[0]?.content], [1, "meanwhile"]);
        say(alice, "after");
        yield* eventually(() => contents(bob).includes("after"));
        assert.strictEqual(framesOf(bob, "phx_error").length, 1);
    }));
    it.live("presence agrees after joins, leaves, a drain, a kill, and a partition that heals", () => Effect.gen(function* () {
        const topic = "presence:room:r";
        const { node } = yield* make();
        const [a, b, c] = [yield* node(), yield* node(), yield* node()];
        const alice = (yield* enter(a, "alice", topic)).client;
        const bob = (yield* enter(b, "bob", topic)).client;
        const carol = (yield* enter(c, "carol", topic)).client;
        const all = [alice, bob, carol];
        const agree = (who, users) => eventually(() => who.every((client) => present(client).join() === users.join()));
        yield* agree(all, ["alice", "bob", "carol"]);
        const dave = yield* enter(b, "dave", topic);
        yield* agree(all, ["alice", "bob", "carol", "dave"]);
        dave.client.ws.terminate();
        yield* agree(all, ["alice", "bob", "carol"]);
        yield* a.cut;
        yield* agree([alice], ["alice"]);
        yield* agree([bob, carol], ["bob", "carol"]);
        const erin = (yield* enter(a, "erin", topic)).client;
        yield* a.heal;
        yield* agree([...all, erin], ["alice", "bob", "carol", "erin"]);
        yield* c.kill;
        yield* agree([alice, bob, erin], ["alice", "bob", "erin"]);
        yield* b.drain;
        yield* agree([alice, erin], ["alice", "erin"]);
        const late = yield* node();
        const frank = (yield* enter(late, "frank", topic)).client;
        yield* agree([alice, erin, frank], ["alice", "erin", "frank"]);
    }));
    it.live("a partitioned node publishes no user of other nodes as offline, and publishes its own users again after it heals", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const updates = [];
        yield* Context.get(a.services, EventBus).subscribe(Address.event("presence.update"), ({ body }) => {
            const { user_id, status } = JSON.parse(Buffer.from(body).toString()).payload;
            updates.push(`${user_id} ${status}`);
        });
        const topic = "presence:room:r";
        const alice = (yield* enter(a, "alice", topic)).client;
        const bob = (yield* enter(b, "bob", topic)).client;
        yield* eventually(() => [alice, bob].every((client) => present(client).join() === "alice,bob"));
        yield* b.cut;
        yield* eventually(() => present(alice).join() === "alice" && present(bob).join() === "bob");
        yield* b.heal;
        yield* eventually(() => [alice, bob].every((client) => present(client).join() === "alice,bob"));
        yield* eventually(() => updates.length === 4);
        // An event of b may wait for the bus for up to one second.
        yield* expectNothingFor("1200 millis", () => updates.length > 4);
        assert.deepStrictEqual(updates, ["alice online", "bob online", "bob offline", "bob online"]);
    }));
    it.live("the comment limit and the viewer count apply to all nodes together", () => Effect.gen(function* () {
        const topic = "comments:stream:s";
        const { node } = yield* make();
        const nodes = [yield* node(), yield* node(), yield* node()];
        const people = yield* Effect.forEach(nodes, (one) => enter(one, "alice", topic));
        yield* eventually(() => people.every(({ client }) => framesOf(client, "viewer_count").at(-1)?.[4]["count"] === people.length));
        for (const { client } of people)
            client.send("1", "c", topic, "new_comment", { content: "first!" });
        const replies = () => people.flatMap(({ client }) => framesOf(client, "phx_reply").filter(([, ref]) => ref === "c"));
        yield* eventually(() => replies().length === 3);
        const statuses = replies().map(([, , , , { status }]) => status);
        assert.deepStrictEqual(statuses.sort(), ["error", "error", "ok"]);
        people[2]?.client.ws.terminate();
        const [first] = people;
        yield* eventually(() => first !== undefined && framesOf(first.client, "viewer_count").at(-1)?.[4]["count"] === 2);
    }));
    it.live("an operator lists and kicks sockets of every node; a ban closes sockets on every node", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const operator = Context.get(a.services, RealtimeAdmin);
        const bob = (yield* enter(b, "bob", chat)).client;
        yield* enter(a, "alice", chat);
        const carol = (yield* enter(b, "carol", chat)).client;
        const { items, unresponsive } = yield* operator.sockets({ topic: chat });
        assert.deepStrictEqual([items.map(({ userId }) => userId).sort(), unresponsive], [["alice", "bob", "carol"], []]);
        const [room] = (yield* operator.rooms()).items;
        assert.deepStrictEqual([room?.topic, room?.members, room?.nodes.length], [chat, 3, 2]);
        assert.strictEqual((yield* operator.kick({ userId: "bob" }, { reason: "enough" })).kicked, 1);
        assert.deepStrictEqual(yield* bob.close, { code: 4002, reason: "enough" });
        yield* operator.ban({ userId: "carol" });
        yield* eventually(() => carol.closed?.code === 4001);
        yield* b.cut;
        assert.strictEqual((yield* operator.sockets()).unresponsive.length, 1);
    }));
    it.live("a ban during a partition closes the user's socket after it heals, and every node rejects the token", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b, c] = [yield* node(), yield* node(), yield* node()];
        const token = yield* b.token("mallory");
        const own = yield* connect(b, { token });
        yield* b.cut;
        yield* Context.get(a.services, RealtimeAdmin).ban({ userId: "mallory" });
        assert.isUndefined(own.closed);
        yield* b.heal;
        yield* eventually(() => own.closed?.code === 4001);
        for (const one of [a, b, c])
            assert.strictEqual(yield* Effect.flip(connect(one, { token })), 401);
    }));
    it.live("a long-poll session serves requests that arrive at any node, and ends with its owner", () => Effect.gen(function* () {
        const { node } = yield* make();
        const [a, b] = [yield* node(), yield* node()];
        const token = yield* a.token("alice");
        const request = (one, session, body) => poll(one, token, session, body);
        const { status, token: session } = yield* request(a, "");
        assert.strictEqual(status, 410);
        const join = JSON.stringify(["1", "1", chat, "phx_join", {}]);
        // Larger than one message between nodes.
        const long = JSON.stringify([null, "1", "phoenix", "heartbeat", { pad: "x".repeat(60_000) }]);
        const body = [join, ...Array.from({ length: 15 }, () => long)].join("\n");
        assert.strictEqual((yield* request(b, session, body)).status, 200);
        const joined = yield* request(b, session);
        assert.strictEqual(joined.status, 200);
        assert.include(joined.messages[0] ?? "", '"status":"ok"');
        const bob = (yield* enter(b, "bob", chat)).client;
        say(bob, "hello");
        assert.include((yield* request(b, session)).messages[0] ?? "", "hello");
        yield* a.drain;
        assert.strictEqual((yield* request(b, session)).status, 410);
        assert.strictEqual((yield* request(b, session, join)).status, 410);
    }));
    it.live("a poll whose reply was lost between nodes ends the session, so that the client recovers its messages", () => Effect.gen(function* () {
        const { node } = yield* make({ limits: { pollWindow: Duration.millis(500) } });
        const [a, b] = [yield* node(), yield* node()];
        const token = yield* a.token("alice");
        const carol = (yield* enter(a, "carol", chat)).client;
        const { token: session } = yield* poll(a, token, "");
        yield* poll(b, token, session, JSON.stringify(["1", "1", chat, "phx_join", {}]));
        yield* poll(b, token, session);
        const parked = yield* Effect.forkChild(poll(b, token, session));
        yield* expectNothingFor("100 millis", () => parked.pollUnsafe() !== undefined);
        yield* b.cut;
        say(carol, "lost");
        yield* eventually(() => contents(carol).length === 1);
        yield* b.heal;
        const { status, messages } = yield* Fiber.join(parked);
        assert.deepStrictEqual([status, messages], [410, []]);
    }));
    it.live("a poll forwarded to a killed node gets 410 once that node is lost", () => Effect.gen(function* () {
        const { node } = yield* make({ limits: { pollWindow: Duration.minutes(1) } });
        const [a, b] = [yield* node(), yield* node()];
        const token = yield* a.token("alice");
        const { token: session } = yield* poll(a, token, "");
        const parked = yield* Effect.forkChild(poll(b, token, session));
        yield* expectNothingFor("100 millis", () => parked.pollUnsafe() !== undefined);
        const begun = performance.now();
        yield* a.kill;
        assert.strictEqual((yield* Fiber.join(parked)).status, 410);
        assert.isBelow(performance.now() - begun, 10_000);
        assert.strictEqual((yield* poll(b, token, session, "[]")).status, 410);
    }));
});

/**
 * Three node processes over a real NATS server, with clients on all of them: messages and presence through a kill -9, a
 * partition between one node and NATS, and a rolling restart under load.
 */
import * as Tokens from "@armoricore/auth/Tokens";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { eventually } from "@armoricore/testing/Eventually";
import * as TcpProxy from "@armoricore/testing/TcpProxy";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Redacted } from "effect";
import { start } from "../support/NodeProcess.ts";
import { RoomClient } from "../support/RoomClient.ts";
const secret = "a-test-secret-that-is-long-enough-for-hs256";
const room = "chat:room:square";
const tokenOf = (userId) => Effect.flatMap(Tokens.Tokens, (tokens) => tokens.sign({ userId, ttl: Duration.hours(1) })).pipe(Effect.provide(Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })), Effect.orDie);
const city = Effect.gen(function* () {
    const nats = yield* NatsServer.make();
    const proxy = yield* TcpProxy.make(nats.port);
    const launch = (port = nats.port) => start({ nats: `nats://127.0.0.1:${port}`, secret, heartbeatMillis: 500, nodeTimeoutMillis: 2_500 });
    /** The nodes to which the load balancer sends new connections. */
    const nodes = [];
    for (const port of [nats.port, nats.port, proxy.port])
        nodes.push(yield* launch(port));
    let turn = 0;
    const person = Effect.fnUntraced(function* (name, home) {
        const token = yield* tokenOf(name);
        const address = () => {
            const node = (home === undefined ? undefined : nodes[home]) ?? nodes[turn++ % nodes.length];
            return `ws://127.0.0.1:${node?.port}/socket/websocket?vsn=2.0.0&token=${token}`;
        };
        return yield* Effect.acquireRelease(Effect.sync(() => new RoomClient(name, room, address)), (one) => Effect.sync(() => one.leave()));
    });
    return { proxy, launch, nodes, person };
});
const allReceived = (people, count) => eventually(() => `expected ${count} messages each: ${shown(people)}`, () => people.every(({ received, isIdle }) => isIdle && received.length >= count));
const shown = (people) => people
    .map(({ name, received, present, isIdle }) => `${name}: ${received.length} received, ${isIdle}, sees ${present.join()}`)
    .join("; ");
const agree = (people) => {
    const expected = people
        .map(({ name }) => name)
        .sort()
        .join();
    return eventually(() => `expected the presence of ${expected}: ${shown(people)}`, () => people.every(({ present }) => present.join() === expected));
};
const contents = ({ received }) => received.map(({ content }) => content);
const assertOnce = (people) => {
    const acknowledged = people.flatMap((person) => person.acknowledged).sort();
    for (const person of people) {
        assert.deepStrictEqual(person.duplicates, [], `${person.name} received a message twice`);
        assert.deepStrictEqual([...contents(person)].sort(), acknowledged, `${person.name} received`);
        assert.strictEqual(person.incompleteRecoveries, 0);
    }
};
describe.skipIf(Programs.requireProgram("nats-server").missing)("three nodes on NATS", () => {
    it.live("messages arrive once and in one order; presence agrees after a kill -9, and after a partition that healed", () => Effect.gen(function* () {
        const { proxy, nodes, person } = yield* city;
        const people = yield* Effect.forEach([0, 1, 2, 0, 1, 2], (home, index) => person(`u${index}`, home));
        yield* agree(people);
        for (let n = 0; n < 20; n++)
            for (const one of people)
                one.say(`${one.name}-${n}`);
        yield* allReceived(people, 120);
        assertOnce(people);
        const [first] = people;
        for (const one of people)
            assert.deepStrictEqual(contents(one), first === undefined ? [] : contents(first));
        yield* proxy.goDown;
        // The members of the partitioned node see only each other.
        const onCutNode = people.filter((_, index) => index % 3 === 2);
        const others = people.filter((_, index) => index % 3 !== 2);
        for (const one of people)
            one.say(`${one.name}-cut`);
        yield* eventually(() => onCutNode.every((one) => contents(one).includes("u2-cut") && contents(one).includes("u5-cut")));
        yield* agree(others);
        yield* agree(onCutNode);
        yield* proxy.restore;
        yield* allReceived(people, 126);
        yield* agree(people);
        assertOnce(people);
        const [killed] = nodes.splice(1, 1);
        yield* killed?.end("SIGKILL") ?? Effect.void;
        const left = people.filter((_, index) => index % 3 !== 1);
        const fled = people.filter((_, index) => index % 3 === 1);
        for (const one of fled)
            one.leave();
        yield* agree(left);
    }), 90_000);
    it.live("a rolling restart under load neither loses nor duplicates messages, and leaves no stale presence", () => Effect.gen(function* () {
        const { launch, nodes, person } = yield* city;
        const people = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (index) => person(`u${index}`));
        yield* agree(people);
        let count = 0;
        const load = yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sync(() => {
            people[count % people.length]?.say(`n${count}`);
            count++;
        }), Effect.sleep("10 millis"))));
        for (let index = 0; index < 3; index++) {
            const [old] = nodes.splice(0, 1);
            const next = yield* launch();
            nodes.push(next);
            yield* old?.end("SIGTERM") ?? Effect.void;
            yield* eventually(() => people.every(({ isJoined }) => isJoined));
        }
        load.interruptUnsafe();
        yield* allReceived(people, count);
        assertOnce(people);
        yield* agree(people);
    }), 90_000);
    it.live("a blue-green deployment with a canary neither loses nor duplicates messages under load", () => Effect.gen(function* () {
        const { launch, nodes, person } = yield* city;
        const moved = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (index) => person(`u${index}`));
        yield* agree(moved);
        let count = 0;
        const load = yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sync(() => {
            moved[count % moved.length]?.say(`n${count}`);
            count++;
        }), Effect.sleep("10 millis"))));
        const blue = [...nodes];
        const green = [yield* launch()];
        // The canary is one of four nodes; its members share the room with those of the old nodes.
        nodes.unshift(...green);
        const people = [...moved, yield* person("canary", 0)];
        yield* agree(people);
        green.push(yield* launch());
        // New connections go to the new nodes; open ones stay until the old nodes end.
        nodes.splice(0, nodes.length, ...green);
        yield* Effect.forEach(blue, (old) => old.end("SIGTERM"), { concurrency: "unbounded", discard: true });
        yield* eventually(() => people.every(({ isJoined }) => isJoined));
        load.interruptUnsafe();
        yield* allReceived(moved, count);
        assertOnce(moved);
        assert.deepStrictEqual(people.map(({ closeCodes }) => closeCodes), [...moved.map(() => [1012]), []]);
        yield* agree(people);
    }), 90_000);
});

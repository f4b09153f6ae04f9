import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { connect, headers as newHeaders, MsgHdrsImpl } from "nats";
import * as NatsHeaders from "../src/NatsHeaders.ts";
import * as NatsMessage from "../src/NatsMessage.ts";
const program = Programs.requireProgram("nats-server");
describe("the address for acknowledgements", () => {
    const deliveryInfo = { deliveryCount: 3, sequence: 41, arrivedAt: 1_790_000_000_123 };
    it("tells attempt, sequence and time", () => assert.deepStrictEqual(NatsMessage.parseDeliveryInfo("$JS.ACK.ARMORICORE.media-media-uploaded.3.41.7.1790000000123456789.12"), deliveryInfo));
    it("also with domain and account before it, and something behind it", () => assert.deepStrictEqual(NatsMessage.parseDeliveryInfo("$JS.ACK.hub.ACCHASH.ARMORICORE.media-media-uploaded.3.41.7.1790000000123456789.12.random"), deliveryInfo));
    it("is not any other address", () => {
        for (const reply of ["", "_INBOX.a.b", "$JS.ACK.A.B.1.2", "$JS.API.a.b.c.d.e.f.g.h"]) {
            assert.isUndefined(NatsMessage.parseDeliveryInfo(reply));
        }
    });
});
describe("headers to be sent", () => {
    const text = (id, extra) => new TextDecoder().decode(encoded(NatsHeaders.make(id, extra)));
    const byClient = (all) => {
        const headers = newHeaders();
        for (const name in all)
            headers.set(name, all[name] ?? "");
        return new TextDecoder().decode(encoded(headers));
    };
    const encoded = (headers) => {
        assert(headers instanceof MsgHdrsImpl);
        return headers.encode();
    };
    it("are written as the client writes them", () => {
        for (const [id, extra] of [
            [undefined, { a: "1" }],
            ["id", {}],
            ["i:d", { traceparent: "00-ab", "KV-Operation": "DEL" }],
            ["  around ", { a: " b ", empty: "" }],
            ["ä", { ü: "1" }],
            ["id", { "Nats-Msg-Id": "not this one" }],
        ]) {
            const all = { ...extra };
            if (id !== undefined)
                all["Nats-Msg-Id"] = id;
            let expected;
            try {
                expected = byClient(all);
            }
            catch {
                assert.throws(() => text(id, extra));
            }
            if (expected !== undefined)
                assert.strictEqual(text(id, extra), expected);
        }
    });
    it("cannot be broken out of", () => {
        assert.throws(() => text("id\r\nNats-Expected-Stream: x", {}));
        assert.throws(() => text("id", { a: "b\nc: d" }));
        assert.throws(() => text("id", { "a: b\r\nc": "d" }));
    });
});
describe.skipIf(program.missing)("a message", () => {
    it.live("has the headers that the client reads out of it", () => Effect.gen(function* () {
        const { url } = yield* NatsServer.NatsServer;
        const client = yield* Effect.acquireRelease(Effect.promise(() => connect({ servers: url })), (open) => Effect.promise(() => open.close()));
        const received = [];
        client.subscribe("t.>", { callback: (_, message) => void received.push(message) });
        const send = (subject, body, all) => {
            const headers = newHeaders();
            for (const [name, value] of all)
                headers.append(name, value);
            client.publish(subject, body, all.length === 0 ? {} : { headers, reply: subject.replace("t", "r") });
        };
        send("t.a", "body", []);
        send("t.a", "", [["Nats-Msg-Id", "1"]]);
        send("t.a", "body", [
            ["Nats-Msg-Id", "id:with:colons"],
            ["Nats-Msg-Id", "second"],
            ["Nats-Time-Stamp", "x"],
            ["traceparent", "00-ä-ö"],
            ["other", "first"],
            ["other", "second"],
            ["empty", ""],
        ]);
        send("t.NATS/1.0", "NATS/1.0", [["a", "NATS/1.0"]]);
        send("t.ü", "body", [["a", "b"]]);
        yield* Effect.promise(() => client.flush());
        assert.strictEqual(received.length, 5);
        for (const message of received) {
            const { headers, id } = NatsMessage.delivered(message, undefined, { arrivedAt: 0, deliveryCount: 1 });
            const expected = Object.fromEntries((message.headers?.keys() ?? [])
                .filter((name) => !name.startsWith("Nats-"))
                .map((name) => [name, message.headers?.get(name)]));
            assert.deepStrictEqual({ headers, id }, { headers: expected, id: message.headers?.get("Nats-Msg-Id") ?? "" });
            assert.strictEqual(NatsMessage.statusOf(message), 0);
        }
    }).pipe(Effect.provide(NatsServer.layer)));
});

import { decodeHeader, serializer } from "@armoricore/realtime/protocol/SerializerV2";
import { serializer as serializerV1 } from "@armoricore/realtime/protocol/SerializerV1";
import { fitsNameLimit, isRef } from "@armoricore/realtime/protocol/Message";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import { Serializer } from "phoenix";
const Name = Schema.String.check(Schema.makeFilter(fitsNameLimit));
const Ref = Schema.NullOr(Schema.String.check(Schema.makeFilter(isRef)));
const JsonObject = Schema.Record(Schema.String, Schema.Json);
const Bytes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })));
/** A copy as an ArrayBuffer, which the official client expects. */
const arrayBuffer = (bytes) => Uint8Array.from(bytes).buffer;
/** Decodes with the official client. */
const clientDecode = (body) => {
    let seen = {};
    Serializer.decode(typeof body === "string" ? body : arrayBuffer(body), (message) => {
        seen = message;
    });
    return seen;
};
describe("the V2 serializer", () => {
    it.effect.prop("decodes the header of a frame without its payload", [Ref, Ref, Name, Name, JsonObject], (parts) => Effect.sync(() => {
        const [joinRef, ref, topic, event] = parts;
        for (const json of [JSON.stringify(parts), JSON.stringify(parts, null, 2)]) {
            assert.deepStrictEqual(decodeHeader(Buffer.from(json)), { joinRef, ref, topic, event, payload: null });
        }
    }));
    it("decodes no header from an invalid frame", () => {
        for (const text of [
            "",
            "[",
            "{}",
            '["1","2","a"]',
            '[["1"],"2","a","b",{}]',
            '["1","2",[,,,,',
            '["1","2","a",5,{}]',
        ]) {
            assert.isUndefined(decodeHeader(Buffer.from(text)), text);
        }
    });
    it.effect.prop("decodes the text frames of the official client", [Ref, Ref, Name, Name, JsonObject], (parts) => Effect.sync(() => {
        const [joinRef, ref, topic, event, payload] = parts;
        const json = JSON.stringify([joinRef, ref, topic, event, payload]);
        assert.deepStrictEqual(serializer.decodeText(json), {
            joinRef,
            ref,
            topic,
            event,
            payload: JSON.parse(JSON.stringify(payload)),
        });
    }));
    it.effect.prop("decodes the binary frames of the official client", [Name, Name, Name, Name, Bytes], (parts) => Effect.sync(() => {
        const [joinRef, ref, topic, event, payload] = parts;
        Serializer.encode({ join_ref: joinRef, ref, topic, event, payload: arrayBuffer(Uint8Array.from(payload)) }, (encoded) => {
            const bytes = new Uint8Array(encoded instanceof ArrayBuffer ? encoded : new ArrayBuffer(0));
            assert.deepStrictEqual(serializer.decodeBinary(bytes), {
                joinRef: wellFormed(joinRef) || null,
                ref: wellFormed(ref) || null,
                topic: wellFormed(topic),
                event: wellFormed(event),
                payload: Uint8Array.from(payload),
            });
        });
    }));
    it.effect.prop("encodes binary frames that the official client decodes", [Name, Name, Name, Bytes], (parts) => Effect.sync(() => {
        const [ref, topic, event, data] = parts;
        const bytes = Uint8Array.from(data);
        const reply = clientDecode(serializer.reply({ joinRef: ref, ref, topic }, "ok", bytes));
        const header = { topic: wellFormed(topic), join_ref: wellFormed(ref), ref: wellFormed(ref), event: "phx_reply" };
        assert.deepStrictEqual(reply, { ...header, payload: { status: "ok", response: arrayBuffer(bytes) } });
        const push = clientDecode(serializer.push(ref, topic, event, bytes));
        assert.strictEqual(push["topic"], wellFormed(topic));
        assert.strictEqual(push["event"], wellFormed(event));
        assert.deepStrictEqual(push["payload"], arrayBuffer(bytes));
        const broadcast = clientDecode(serializer.broadcast(topic, event, bytes));
        assert.strictEqual(broadcast["event"], wellFormed(event));
        assert.deepStrictEqual(broadcast["payload"], arrayBuffer(bytes));
    }));
    it("encodes text frames in the layout of the protocol, and refs keep their type", () => {
        const at = { joinRef: 4, ref: "7", topic: "a:b" };
        assert.strictEqual(serializer.reply(at, "error", { reason: "x" }), '[4,"7","a:b","phx_reply",{"status":"error","response":{"reason":"x"}}]');
        assert.strictEqual(serializer.push("4", "a:b", "e", { n: 1 }), '["4",null,"a:b","e",{"n":1}]');
        assert.strictEqual(serializer.end("4", "a:b", "phx_close", {}), '["4","4","a:b","phx_close",{}]');
        assert.strictEqual(serializer.broadcast("a:b", "e", { n: 1 }), '[null,null,"a:b","e",{"n":1}]');
    });
    it.effect.prop("decoding never throws on arbitrary bytes", [Bytes], ([data]) => Effect.sync(() => {
        const bytes = Uint8Array.from(data);
        for (const { decodeText, decodeBinary } of [serializer, serializerV1]) {
            decodeBinary(bytes);
            decodeBinary(Uint8Array.of(0, ...bytes));
            decodeText(Buffer.from(bytes).toString());
            decodeText(Buffer.from(bytes).toString("latin1"));
        }
    }));
    it.effect.prop("decoding never throws on arbitrary JSON, and rejects other shapes", [Schema.Json], ([json]) => Effect.sync(() => {
        assert.isUndefined(serializer.decodeText(JSON.stringify({ json })));
        assert.isUndefined(serializer.decodeText(JSON.stringify([json])));
        assert.isUndefined(serializer.decodeText(JSON.stringify([null, null, [json], "e", {}])));
        serializerV1.decodeText(JSON.stringify(json));
    }));
});
it("the V1 serializer encodes and decodes objects", () => {
    const message = { joinRef: null, ref: "1", topic: "a:b", event: "e", payload: { n: 1 } };
    assert.deepStrictEqual(serializerV1.decodeText('{"topic":"a:b","event":"e","payload":{"n":1},"ref":"1"}'), message);
    assert.strictEqual(serializerV1.reply(message, "ok", {}), '{"topic":"a:b","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}');
    assert.strictEqual(serializerV1.broadcast("a:b", "e", Uint8Array.of(1, 2)), '{"topic":"a:b","event":"e","payload":{"data":"AQI="},"ref":null}');
});
/** UTF-8 cannot express a lone surrogate, so both sides replace it. */
const wellFormed = (text) => Buffer.from(text).toString();

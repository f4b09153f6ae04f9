import * as SchemaFastPath from "@armoricore/domain/SchemaFastPath";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { eventTypes, schemaOf } from "@armoricore/domain/EventRegistry";
import * as JsonCodecs from "@armoricore/domain/JsonCodecs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import { generationsOf } from "./support/EventGeneration.ts";
const bytes = (text) => new TextEncoder().encode(text);
/** The fast decoder runs for bytes only; a parsed value uses the Schema decoder. */
const agree = (text) => Effect.gen(function* () {
    const quick = yield* Effect.result(EventCodec.decode(bytes(text)));
    const slow = yield* Effect.result(EventCodec.decodeJson(JSON.parse(text)));
    assert.deepStrictEqual(quick, slow, text);
});
/** The paths to all places in a value. */
const places = (value) => typeof value !== "object" || value === null
    ? [[]]
    : [[], ...Object.entries(value).flatMap(([name, part]) => places(part).map((rest) => [name, ...rest]))];
const changed = (value, [name, ...rest], by) => {
    if (name === undefined || typeof value !== "object" || value === null)
        return by;
    if (Array.isArray(value))
        return value.with(Number(name), changed(value[Number(name)], rest, by));
    const copy = { ...value };
    copy[name] = changed(copy[name], rest, by);
    return copy;
};
/** Values that PHP or a mistake puts in place of another. */
const instead = [null, undefined, [], {}, "", "7", 7, -1, 1.5, true, { unknown: 1 }, [null]];
describe("the fast decoders of events", () => {
    for (const type of eventTypes) {
        const schema = schemaOf(type);
        it(`${type} has a fast decoder`, () => assert.isDefined(SchemaFastPath.compile(schema)));
        for (const { name, options } of generationsOf(type, { runs: 8, size: 20 })) {
            it.effect.prop(`both decoders agree on ${type} with any value in any place${name}`, [Schema.toType(schema), Schema.Json], ([value, other]) => Effect.gen(function* () {
                const json = JSON.parse(JSON.stringify(yield* Schema.encodeUnknownEffect(schema)(value)));
                yield* agree(JSON.stringify({ ...Object(json), more: other }));
                for (const place of places(json)) {
                    for (const by of [...instead, other]) {
                        const text = JSON.stringify(changed(json, place, by));
                        if (text !== undefined && text.startsWith("{"))
                            yield* agree(text);
                    }
                }
            }), options);
        }
    }
    it.effect("both decoders agree on names of Object.prototype and on infinite numbers", () => Effect.forEach([
        `"metadata": {"__proto__": {"a": 1}}`,
        `"metadata": {"constructor": 1, "toString": []}`,
        `"metadata": {"a": 1e999}`,
        `"metadata": {"a": {"b": [1, -1e999]}}`,
        `"__proto__": {"metadata": {}}`,
        `"file_size": 1e999`,
        `"file_size": -0`,
        `"file_size": "12"`,
    ], (more) => agree(`{"event_type": "media.uploaded", "event_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "timestamp": "2026-01-31T12:00:00Z", "source": "php", "payload": {"media_id": "m", "user_id": "u", "file_path": "s3://media/a", ${more}}}`), { discard: true }));
});
describe("a fast decoder", () => {
    const accept = (schema, value) => SchemaFastPath.compile(schema)?.(value);
    it("falls back for union members after one that converts", () => {
        const first = Schema.Struct({ a: JsonCodecs.Metadata });
        const second = Schema.Struct({ a: Schema.Array(Schema.String) });
        assert.strictEqual(accept(Schema.Union([first, second]), { a: [] }), SchemaFastPath.fallback);
        assert.deepStrictEqual(accept(Schema.Union([second, first]), { a: {} }), { a: {} });
    });
    it("does not exist for a schema with an unsupported node", () => {
        assert.isUndefined(SchemaFastPath.compile(Schema.Struct({ at: Schema.DateTimeUtc })));
        assert.isUndefined(SchemaFastPath.compile(Schema.Union([Schema.String, Schema.Number], { mode: "oneOf" })));
    });
});

import { readdirSync, readFileSync } from "node:fs";
import { schemaFileName, jsonSchemaOf, schemaFileText } from "@armoricore/domain/EventJsonSchema";
import { eventTypes } from "@armoricore/domain/EventRegistry";
import { assert, describe, it } from "@effect/vitest";
import { Ajv2020 } from "ajv/dist/2020.js";
const folder = new URL("../../../docs/events/", import.meta.url);
describe("docs/events", () => {
    it("contains one file per event and no other", () => {
        assert.deepStrictEqual(readdirSync(folder).sort(), eventTypes.map(schemaFileName).sort());
    });
    for (const type of eventTypes) {
        it(`${type} is current (npm run docs:events writes it)`, () => {
            assert.strictEqual(readFileSync(new URL(schemaFileName(type), folder), "utf8"), schemaFileText(type));
        });
    }
    it("is accepted by an independent validator", () => {
        const validate = new Ajv2020({ strict: false }).compile(jsonSchemaOf("media.uploaded"));
        const event = {
            event_type: "media.uploaded",
            event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            timestamp: "2026-01-31T12:00:00+01:00",
            source: "php-backend",
            payload: { media_id: 7, user_id: "u", file_path: "s3://media/a.mp4", metadata: [] },
        };
        assert.isTrue(validate(event), JSON.stringify(validate.errors));
        assert.isFalse(validate({ ...event, payload: { ...event.payload, media_id: undefined } }));
    });
});

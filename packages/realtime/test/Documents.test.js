import { readFileSync } from "node:fs";
import * as AsyncApi from "@armoricore/realtime/AsyncApi";
import { declarations } from "@armoricore/realtime/channels/BuiltInChannels";
import * as Handshake from "@armoricore/realtime/socket/Handshake";
import { meanings } from "@armoricore/realtime/protocol/CloseCode";
import { reasons } from "@armoricore/realtime/channel/ChannelError";
import { assert, describe, it } from "@effect/vitest";
import { Ajv2020 } from "ajv/dist/2020.js";
const read = (name) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");
/** The cells of every table row of the page. */
const rows = read("clients.md")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim()));
const has = (...cells) => rows.some((row) => cells.every((cell, index) => row[index] === cell));
describe("docs/clients.md", () => {
    it("lists every reason of error replies and rejected connections", () => {
        for (const [reason, meaning] of Object.entries({ ...reasons })) {
            assert.isTrue(has(`\`${reason}\``, meaning), reason);
        }
        for (const [reason, meaning] of Object.entries(Handshake.reasons)) {
            assert.isTrue(has(`\`${reason}\``, meaning), reason);
        }
    });
    it("lists every close code", () => {
        for (const [code, reason, meaning] of meanings) {
            assert.isTrue(has(String(code), reason === "" ? "" : `\`${reason}\``, meaning), `${code} ${reason}`);
        }
    });
    it("names every topic and event", () => {
        const page = read("clients.md");
        for (const [, { topic, client, server }] of declarations) {
            assert.include(page, `\`${topic}\``);
            for (const event of [...Object.keys(client), ...Object.keys(server)])
                assert.include(page, event);
        }
    });
});
describe("docs/asyncapi.json", () => {
    it("is current (npm run docs:asyncapi writes it)", () => {
        assert.strictEqual(read("asyncapi.json"), AsyncApi.text());
    });
    it("has only valid references, and an independent validator accepts its schemas", () => {
        const document = JSON.parse(AsyncApi.text());
        const at = (path) => path
            .slice(2)
            .split("/")
            .reduce((value, key) => Object.entries(Object(value)).find(([name]) => name === key)?.[1], document);
        const references = [...AsyncApi.text().matchAll(/"\$ref": "([^"]+)"/g)].map(([, path = ""]) => path);
        assert.isAbove(references.length, 20);
        for (const path of references)
            assert.isDefined(at(path), path);
        const schema = at("#/channels/chat/messages/new_message/payload/schema");
        const validate = new Ajv2020({ strict: false }).compile(Object(schema));
        assert.isTrue(validate({ content: "hi" }));
        assert.isFalse(validate({ content: 5 }));
    });
});

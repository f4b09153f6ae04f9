import { assert, describe, it } from "@effect/vitest";
import { Layer } from "effect";
import * as ProviderDescriptor from "../../src/provider/ProviderDescriptor.ts";
import { providers } from "../../src/providers/Providers.ts";
const webhookCalls = [];
const example = ProviderDescriptor.define({
    name: "example",
    title: "Example",
    channel: "email",
    settings: {
        EXAMPLE_KEY: { kind: "secret", isRequired: true, description: "key", example: "…" },
        EXAMPLE_DOMAIN: { kind: "text", isRequired: true, description: "domain", example: "example.com" },
        EXAMPLE_CA: { kind: "file", description: "authority", example: "/ca.pem" },
        EXAMPLE_WEBHOOK_KEY: { kind: "text", description: "webhook key", example: "…" },
    },
    layer: () => Layer.empty,
    webhook: ({ EXAMPLE_WEBHOOK_KEY }) => {
        webhookCalls.push(EXAMPLE_WEBHOOK_KEY);
        return undefined;
    },
});
describe("ProviderDescriptor", () => {
    it("tells required settings from optional ones and from files", () => {
        assert.deepStrictEqual(example.requiredSettings, ["EXAMPLE_KEY", "EXAMPLE_DOMAIN"]);
        assert.deepStrictEqual(example.optionalSettings, ["EXAMPLE_CA", "EXAMPLE_WEBHOOK_KEY"]);
        assert.deepStrictEqual(example.fileSettings, ["EXAMPLE_CA"]);
    });
    it("is enabled by all of its required settings", () => {
        assert.isFalse(example.isEnabled({}));
        assert.isFalse(example.isEnabled({ EXAMPLE_KEY: "k", EXAMPLE_CA: "/ca.pem" }));
        assert.isTrue(example.isEnabled({ EXAMPLE_KEY: "k", EXAMPLE_DOMAIN: "d", SMTP_URL: undefined }));
    });
    it("routes the webhook only of an enabled provider", () => {
        example.webhookRoutes({ EXAMPLE_WEBHOOK_KEY: "w" });
        assert.isEmpty(webhookCalls);
        example.webhookRoutes({ EXAMPLE_KEY: "k", EXAMPLE_DOMAIN: "d", EXAMPLE_WEBHOOK_KEY: "w" });
        assert.deepStrictEqual(webhookCalls, ["w"]);
    });
    it("has no name and no setting twice among the registered providers", () => {
        const names = providers.map(({ name }) => name);
        assert.lengthOf(new Set(names), names.length);
        const settings = providers.flatMap(({ optionalSettings, requiredSettings }) => [
            ...requiredSettings,
            ...optionalSettings,
        ]);
        assert.lengthOf(new Set(settings), settings.length);
    });
});

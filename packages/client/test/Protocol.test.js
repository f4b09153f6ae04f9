import { readFileSync } from "node:fs";
import { assert, it } from "vitest";
import { text } from "../scripts/ProtocolTypes.ts";
/** Without what the formatter changes. */
const normalized = (source) => source.replaceAll(/[\s;,]|\|(?=\s*["{])/g, "").replaceAll("|", "");
it("the types of the client are those of the channels (npm run docs:client)", () => {
    const current = readFileSync(new URL("../src/Protocol.ts", import.meta.url), "utf8");
    assert.strictEqual(normalized(current), normalized(text()));
});

import { assert, describe, it } from "vitest";
import { findingsIn } from "../scripts/prose.ts";
const found = (file, source) => findingsIn(file, source).map(({ found: text, line }) => `${line}: ${text}`);
describe("the prose check", () => {
    it("finds refused words in comments and messages", () => {
        assert.deepStrictEqual(found("a.ts", '// whoever reads this\nconst a = 1\nlog("the lease was kept")\n'), [
            "1: whoever",
            "3: kept",
        ]);
    });
    it("finds a relative clause used as a noun", () => {
        assert.deepStrictEqual(found("a.ts", "/** What was stored is read again. */"), [
            "1: What was stored is read again.",
        ]);
    });
    it("leaves identifiers, keys, imports and patterns alone", () => {
        assert.deepStrictEqual(found("a.ts", 'import { kept } from "./kept.ts"\nconst kept = /told/\nuse(kept, "told")\n'), []);
    });
    it("ignores code in Markdown", () => {
        assert.deepStrictEqual(found("a.md", "`kept` is a field\n```\nnobody\n```\nnobody reads\n"), ["5: nobody"]);
    });
    it("accepts a question", () => {
        assert.deepStrictEqual(found("a.md", "What happens to an event?\n"), []);
    });
});

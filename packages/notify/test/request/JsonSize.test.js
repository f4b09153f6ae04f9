import { assert, it } from "@effect/vitest";
import * as JsonSize from "../../src/request/JsonSize.ts";
it("no JSON has more bytes than its bound", () => {
    const values = [
        "\u0000\u001f\ud800é\u{1f600}",
        -1.7976931348623157e308,
        [null, true, false, [], {}],
        { "\n": { a: [1, "b"] } },
        Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)),
        { nested: [[["deep", { "": "" }]]], empty: {} },
        1e21,
        5e-324,
    ];
    for (const value of values) {
        assert.isAtMost(Buffer.byteLength(JSON.stringify(value)), JsonSize.maxBytes(value), JSON.stringify(value));
    }
});

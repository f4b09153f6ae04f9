import * as Timestamp from "@armoricore/domain/Timestamp";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
const decode = Schema.decodeUnknownEffect(Timestamp.Timestamp);
describe("a timestamp in milliseconds", () => {
    const cases = [
        ["2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00.000Z"],
        ["2026-01-31t12:00:00.5z", "2026-01-31T12:00:00.500Z"],
        ["2026-01-31T00:15:00-11:30", "2026-01-31T11:45:00.000Z"],
        ["2026-01-31T12:00:00.12345678901234567890Z", "2026-01-31T12:00:00.123Z"],
        ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
        // regression: a leap second became NaN, and the notification that expired then was sent
        ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
        ["2016-12-31T18:59:60.25-05:00", "2017-01-01T00:00:00.250Z"],
    ];
    for (const [text, expected] of cases) {
        it.effect(`${text} is ${expected}`, () => Effect.gen(function* () {
            assert.strictEqual(new Date(Timestamp.toMillis(yield* decode(text))).toISOString(), expected);
        }));
    }
    it.effect.prop("is a number for every text that the schema accepts", [Timestamp.Timestamp], ([text]) => Effect.sync(() => assert.isTrue(Number.isSafeInteger(Timestamp.toMillis(text)))));
    for (const text of [
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:61Z",
        "2026-02-29T12:00:00Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00.Z",
        `2026-01-31T12:00:00.${"1".repeat(100)}Z`,
    ]) {
        it.effect(`${text.slice(0, 40)} is refused`, () => Effect.asVoid(Effect.flip(decode(text))));
    }
});

import { anyCategory, isAllowed, Preferences as PreferencesSchema, quietUntil, } from "@armoricore/domain/Preferences";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
/** The same sequence of numbers below 1 in every run. */
const generator = (seed) => {
    let state = seed;
    return (below) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
};
const channels = ["push", "email", "in_app", "sms"];
const names = ["orders", "newsletter", "__proto__", "constructor", anyCategory];
describe("preferences", () => {
    it("the category decides, then the choice for all, then the channel is on", () => {
        const random = generator(1);
        for (let run = 0; run < 2_000; run++) {
            const chosen = new Map();
            for (const name of names.filter(() => random(2) === 0)) {
                const switched = channels.filter(() => random(2) === 0);
                chosen.set(name, Object.fromEntries(switched.map((channel) => [channel, random(2) === 0])));
            }
            const preferences = { categories: Object.fromEntries(chosen) };
            const name = names[random(names.length)] ?? "";
            const channel = channels[random(channels.length)] ?? "push";
            const general = chosen.get(anyCategory)?.[channel];
            const expected = chosen.get(name)?.[channel] ?? general ?? true;
            assert.strictEqual(isAllowed(preferences, name, channel), expected, JSON.stringify({ preferences, name, channel }));
            assert.strictEqual(isAllowed(preferences, undefined, channel), general ?? true);
        }
    });
    // Each range contains a change of the clock: an hour in Berlin and New York, half an hour on Lord Howe Island.
    const changes = [
        ["Europe/Berlin", "2026-03-28T12:00Z"],
        ["Europe/Berlin", "2026-10-24T12:00Z"],
        ["America/New_York", "2026-03-07T12:00Z"],
        ["America/New_York", "2026-10-31T12:00Z"],
        ["Australia/Lord_Howe", "2026-04-04T06:00Z"],
        ["Australia/Lord_Howe", "2026-10-03T06:00Z"],
    ];
    it("quiet hours end at the first minute that is not quiet by the local clock, also when the clock changes", () => {
        const random = generator(2);
        const two = (value) => String(value).padStart(2, "0");
        const time = () => `${two(random(24))}:${two(random(60))}`;
        for (let run = 0; run < 240; run++) {
            const [time_zone, day] = changes[run % changes.length] ?? changes[0];
            const [from, to] = [time(), time()];
            if (from === to)
                continue;
            const now = Date.parse(day) + random(36 * 60) * 60_000;
            const until = quietUntil({ from, to, time_zone }, "push", now);
            const format = new Intl.DateTimeFormat("en-GB", { timeZone: time_zone, hour: "2-digit", minute: "2-digit" });
            const isQuiet = (at) => {
                const wall = format.format(at);
                return from < to ? wall >= from && wall < to : wall >= from || wall < to;
            };
            const about = JSON.stringify({ time_zone, from, to, now: new Date(now).toISOString() });
            assert.strictEqual(until !== undefined, isQuiet(now), about);
            if (until === undefined)
                continue;
            assert.isAbove(until, now, about);
            assert.isFalse(isQuiet(until), about);
            for (let at = now; at < until; at += 13 * 60_000)
                assert.isTrue(isQuiet(at), about);
            assert.isTrue(isQuiet(until - 60_000), about);
        }
    });
    it("nights in which the clock changes are an hour shorter or longer", () => {
        const hours = (time_zone, at) => ((quietUntil({ from: "22:00", to: "07:00", time_zone }, "push", Date.parse(at)) ?? 0) - Date.parse(at)) /
            3_600_000;
        assert.strictEqual(hours("Europe/Berlin", "2026-03-27T21:00Z"), 9);
        assert.strictEqual(hours("Europe/Berlin", "2026-03-28T21:00Z"), 8);
        assert.strictEqual(hours("Europe/Berlin", "2026-10-24T20:00Z"), 10);
        assert.strictEqual(hours("America/New_York", "2026-11-01T02:00Z"), 10);
        assert.strictEqual(hours("Australia/Lord_Howe", "2026-10-03T11:30Z"), 8.5);
        // 02:30 does not exist in that night: quiet hours end when the clock jumps from 2 to 3.
        const jump = quietUntil({ from: "22:00", to: "02:30", time_zone: "Europe/Berlin" }, "push", Date.parse("2026-03-29T00:30Z"));
        assert.strictEqual(jump, Date.parse("2026-03-29T01:00Z"));
        assert.isUndefined(quietUntil({ from: "00:00", to: "23:59", time_zone: "UTC" }, "email", 0));
    });
    it.effect("refuses what has no meaning, with the path", () => Effect.gen(function* () {
        const decode = Schema.decodeUnknownEffect(PreferencesSchema);
        for (const wrong of [
            { categories: { "Not A Category": {} } },
            { categories: { orders: { push: "yes" } } },
            { categories: {}, quiet_hours: { from: "22:00", to: "22:00", time_zone: "UTC" } },
            { categories: {}, quiet_hours: { from: "22:00", to: "24:00", time_zone: "UTC" } },
            { categories: {}, quiet_hours: { from: "22:00", to: "07:00", time_zone: "Mars/Base" } },
            { categories: {}, locale: "?" },
        ]) {
            assert.strictEqual((yield* Effect.exit(decode(wrong)))._tag, "Failure", JSON.stringify(wrong));
        }
    }));
});

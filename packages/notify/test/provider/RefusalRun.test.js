import { assert, describe, it } from "@effect/vitest";
import * as RefusalRun from "../../src/provider/RefusalRun.ts";
const maxHold = 600_000;
const message = (deliveryId) => ({
    deliveryId,
    notificationId: "n",
    userId: "u",
    target: { channel: "fcm", token: deliveryId },
    title: "",
    text: "",
    data: {},
    uuid: "",
    attachments: [],
});
const refuse = (run, subject, now = 0, { isCertain = false, reason = "bad_device_token" } = {}) => RefusalRun.judge(run, { isCertain, reason, subject }, message(subject), now, maxHold);
const refuseMany = (run, count, options) => Array.from({ length: count }, (_, index) => refuse(run, `t${index}`, 0, options));
describe("RefusalRun", () => {
    it("holds refusals until a message is accepted, and pauses after ten equal ones in a row", () => {
        const rulings = refuseMany(RefusalRun.make(), 12);
        assert.deepStrictEqual(rulings, [...Array.from({ length: 9 }, () => "hold"), "pause", "pause", "pause"]);
    });
    it("counts a refusal while others are accepted", () => {
        const run = RefusalRun.make();
        RefusalRun.accept(run, 0);
        assert.strictEqual(refuse(run, "t", 1_000), "count");
        // An acceptance of the day before proves nothing.
        assert.strictEqual(refuse(run, "t", 86_400_000), "hold");
    });
    it("reverses each counted refusal of a run once, and counts none after the run until a message is accepted", () => {
        const run = RefusalRun.make();
        RefusalRun.accept(run, 0);
        const rulings = refuseMany(run, 10);
        assert.deepStrictEqual(rulings, [...Array.from({ length: 9 }, () => "count"), "pause"]);
        assert.lengthOf(RefusalRun.drainCounted(run), 9);
        assert.isEmpty(RefusalRun.drainCounted(run));
        assert.strictEqual(refuse(run, "other", 0, { reason: "another" }), "hold");
    });
    it("does not count the same recipient twice in a run", () => {
        const run = RefusalRun.make();
        const rulings = new Set(Array.from({ length: 50 }, () => refuse(run, "t")));
        assert.deepStrictEqual([...rulings], ["hold"]);
    });
    it("counts a lone recipient without consequences once it was held for long enough", () => {
        const run = RefusalRun.make();
        assert.strictEqual(refuse(run, "t", 0), "hold");
        assert.strictEqual(refuse(run, "t", maxHold), "count_alone");
    });
    it("counts certain refusals at once, holds them from the eleventh in a row, and pauses at a hundred", () => {
        const rulings = refuseMany(RefusalRun.make(), 100, { isCertain: true });
        const numbers = Map.groupBy(rulings, (ruling) => ruling);
        assert.deepStrictEqual(["count", "hold", "pause"].map((ruling) => numbers.get(ruling)?.length), [10, 89, 1]);
    });
    it("begins again with another reason and after an acceptance", () => {
        const run = RefusalRun.make();
        refuseMany(run, 9);
        assert.strictEqual(refuse(run, "x", 0, { reason: "sender_id_mismatch" }), "hold");
        refuseMany(run, 9);
        RefusalRun.accept(run, 0);
        assert.strictEqual(refuse(run, "x"), "count");
    });
});

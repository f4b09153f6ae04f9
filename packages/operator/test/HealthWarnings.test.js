/** The warnings about processes that ended. */
import { healthWarnings } from "@armoricore/operator/HealthWarnings";
import { zeroCounters } from "@armoricore/operator/Monitor";
import { assert, describe, it } from "@effect/vitest";
const node = (node, ...services) => ({
    node,
    host: "h",
    pid: 1,
    services,
    version: "1",
    started_at: 0,
});
const now = 10_000_000;
const healthyOverview = {
    sample: {
        at: now,
        rates: zeroCounters,
        sockets: 0,
        pending: 0,
        job_seconds: null,
    },
    history: [],
    nodes: [],
    unresponsive: [],
    queues: [],
    jobs: { stages: {}, ready: 0, failed: 0 },
    dead_letters: { count: 0, more: false },
    unhealthy_circuits: [],
};
const warnings = (running, departed, bus = "connected") => healthWarnings(healthyOverview, [], [], bus, running, departed).map(({ level, message }) => `${level} ${message}`);
describe("missing processes", () => {
    it("reports a service that no process runs after a crash", () => {
        const crashed = { descriptor: node("w1", "media", "ai"), lastSeenAt: now - 180_000, graceful: false };
        assert.deepStrictEqual(warnings([node("r", "realtime")], [crashed]), [
            "fault No process runs media: w1 sent its last heartbeat 3 min ago.",
            "fault No process runs ai: w1 sent its last heartbeat 3 min ago.",
        ]);
        const other = node("w2", "media", "ai");
        assert.deepStrictEqual(warnings([other], [crashed]), [
            "warning The process w1 sent its last heartbeat 3 min ago; other processes do its work.",
        ]);
        assert.deepStrictEqual(warnings([other], [{ ...crashed, lastSeenAt: now - 3_600_000 }]), []);
    });
    it("reports a service that ended without a successor, and ignores a deployment", () => {
        const ended = { descriptor: node("w1", "media"), lastSeenAt: now - 30_000, graceful: true };
        assert.deepStrictEqual(warnings([node("w2", "media")], [ended]), []);
        assert.deepStrictEqual(warnings([node("r", "realtime")], [ended]), [
            "warning No process runs media: w1 ended 30 s ago.",
        ]);
    });
    it("reports no missing process while the bus is down", () => {
        const crashed = { descriptor: node("w1", "media"), lastSeenAt: now - 180_000, graceful: false };
        assert.lengthOf(warnings([], [crashed], "disconnected"), 1);
    });
});

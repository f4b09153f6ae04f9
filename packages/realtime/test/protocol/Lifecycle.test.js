import { decide } from "@armoricore/realtime/protocol/Lifecycle";
import { assert, it } from "@effect/vitest";
const rows = [
    [null, "phoenix", "heartbeat", undefined, 0, "heartbeat"],
    [null, "phoenix", "other", undefined, 0, "unmatched"],
    ["1", "a", "phx_join", undefined, 0, "join"],
    ["1", "a", "phx_join", undefined, 99, "join"],
    ["1", "a", "phx_join", undefined, 100, "too many"],
    ["2", "a", "phx_join", "1", 100, "replace"],
    ["1", "a", "e", undefined, 0, "unmatched"],
    ["1", "a", "e", "1", 1, "deliver"],
    [null, "a", "e", "1", 1, "deliver"],
    ["0", "a", "e", "1", 1, "stale"],
    ["0", "a", "phx_leave", "1", 1, "stale"],
    ["1", "a", "phx_leave", "1", 1, "leave"],
    [null, "a", "phx_leave", "1", 1, "leave"],
    ["1", "a", "phx_leave", undefined, 0, "leave unjoined"],
    [null, "a", "e", null, 1, "deliver"],
    ["1", "a", "e", null, 1, "deliver"],
];
it.each(rows)("%s %s %s, current %s of %s joined: %s", (joinRef, topic, event, current, joined, step) => {
    const membership = current === undefined ? undefined : { joinRef: current };
    assert.strictEqual(decide({ joinRef, topic, event }, membership, joined, 100), step);
});

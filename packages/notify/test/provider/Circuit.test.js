import { assert, describe, it } from "@effect/vitest";
import { Duration } from "effect";
import * as Circuit from "../../src/provider/Circuit.ts";
const options = {
    failureThreshold: 2,
    initialOpenDuration: Duration.millis(100),
    maxOpenDuration: Duration.millis(300),
    misconfigurationDelay: Duration.millis(1_000),
};
const opened = () => {
    const circuit = Circuit.make("");
    Circuit.recordOutage(circuit, false, 0, options);
    Circuit.recordOutage(circuit, false, 0, options);
    return circuit;
};
describe("Circuit", () => {
    it("lets calls pass until the threshold of outages in a row", () => {
        const circuit = Circuit.make("");
        assert.isFalse(Circuit.recordOutage(circuit, false, 0, options));
        assert.isFalse(Circuit.recordSuccess(circuit));
        assert.isFalse(Circuit.recordOutage(circuit, false, 0, options));
        assert.deepInclude(Circuit.admit(circuit, 0), { _tag: "Admitted", isHalfOpen: false });
        assert.isTrue(Circuit.recordOutage(circuit, false, 0, options));
        assert.deepInclude(Circuit.admit(circuit, 40), { _tag: "Rejected", reason: "circuit_open", waitMillis: 60 });
    });
    it("lets one half-open call pass at a time, and closes with its success", () => {
        const circuit = opened();
        assert.deepInclude(Circuit.admit(circuit, 100), { _tag: "Admitted", isHalfOpen: true });
        assert.deepInclude(Circuit.admit(circuit, 100), { _tag: "Rejected", reason: "circuit_open" });
        assert.isTrue(Circuit.recordSuccess(circuit));
        assert.deepInclude(Circuit.admit(circuit, 100), { _tag: "Admitted", isHalfOpen: false });
    });
    it("stays open twice as long after each failed half-open call, up to the maximum", () => {
        const circuit = opened();
        const durations = [100, 300, 600].map((now) => {
            Circuit.recordOutage(circuit, true, now, options);
            return circuit.openUntil - now;
        });
        assert.deepStrictEqual(durations, [200, 300, 300]);
    });
    it("is not extended by calls that were running when it opened", () => {
        const circuit = opened();
        assert.isFalse(Circuit.recordOutage(circuit, false, 90, options));
        assert.strictEqual(circuit.openUntil, 100);
    });
    it("is paused by one configuration error, and half-open after the delay", () => {
        const circuit = Circuit.make("");
        Circuit.pause(circuit, 0, options);
        assert.deepStrictEqual(Circuit.rejection(circuit, 400), { reason: "provider_paused", waitMillis: 600 });
        assert.deepInclude(Circuit.admit(circuit, 400), { _tag: "Rejected", reason: "provider_paused", waitMillis: 600 });
        assert.deepInclude(Circuit.admit(circuit, 1_000), { _tag: "Admitted", isHalfOpen: true });
        assert.isUndefined(Circuit.rejection(circuit, 1_000));
    });
});

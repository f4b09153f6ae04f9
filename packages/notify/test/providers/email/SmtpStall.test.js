/** Mail servers that hang, and what becomes of the mail: sent later where they cannot have it, unknown where they can. */
import { eventually } from "@armoricore/testing/Eventually";
import { WorkerTimeouts } from "@armoricore/worker/Worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Redacted } from "effect";
import { Attachments } from "../../../src/request/Attachments.ts";
import * as Smtp from "../../../src/providers/email/Smtp.ts";
import { deliveryState, awaitFinal, recordEvents, notificationState, policy, ports, publishRequest, service, } from "../../support/NotifyHarness.ts";
import * as StallingSmtpServer from "../../support/StallingSmtpServer.ts";
const from = "no-reply@example.com";
const attachments = Attachments.layer({ buckets: ["media"] });
const mail = () => publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] });
const installed = (url, callTimeout) => service(Smtp.layer({ url, from }).pipe(Layer.provide(attachments))).pipe(Layer.provide(policy({ callTimeout })));
const times = Layer.effect(WorkerTimeouts, Effect.map(WorkerTimeouts, (usual) => ({ ...usual, drainTimeout: Duration.millis(50) })));
describe("an SMTP server that stalls", () => {
    for (const stage of StallingSmtpServer.stages.filter((one) => one !== ".")) {
        it.live(`a mail is sent after the server stalled at ${stage}`, () => Effect.gen(function* () {
            // regression: such mail ended with an unknown outcome
            const events = yield* recordEvents;
            const { state, url } = yield* StallingSmtpServer.make;
            state.stallAt = stage;
            yield* Effect.gen(function* () {
                const id = yield* mail();
                yield* eventually(() => state.reached, (count) => count >= 2);
                assert.isEmpty(events);
                state.stallAt = undefined;
                assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
                assert.strictEqual(state.accepted, 1);
            }).pipe(Effect.provide(installed(url, Duration.millis(500))));
        }).pipe(Effect.scoped, Effect.provide(ports)));
    }
    it.live("a stall after the whole message is an unknown outcome, and the mail is not sent again", () => Effect.gen(function* () {
        const { state, url } = yield* StallingSmtpServer.make;
        state.stallAt = ".";
        yield* Effect.gen(function* () {
            const found = yield* awaitFinal(yield* mail());
            assert.deepInclude(found?.deliveries[0]?.summary, { status: "unknown", reason: "outcome_unknown" });
            state.stallAt = undefined;
            const next = yield* awaitFinal(yield* mail());
            assert.deepInclude(next?.deliveries[0]?.summary, { status: "sent" });
            assert.strictEqual(state.accepted, 2);
        }).pipe(Effect.provide(installed(url, Duration.millis(500))));
    }).pipe(Effect.scoped, Effect.provide(ports)));
    it.live("a stop before the server received the message leaves the delivery requested", () => Effect.gen(function* () {
        // regression: the outcome of such mail was recorded as unknown
        const { state, url } = yield* StallingSmtpServer.make;
        state.stallAt = "RCPT";
        const id = yield* Effect.gen(function* () {
            const id = yield* mail();
            yield* eventually(() => state.reached, (count) => count >= 1);
            return id;
        }).pipe(Effect.provide(installed(url, Duration.minutes(1))));
        const [planned] = (yield* notificationState(id))?.deliveries ?? [];
        assert.strictEqual((yield* deliveryState(planned?.delivery_id ?? ""))?.status, "requested");
        state.stallAt = undefined;
        yield* Effect.gen(function* () {
            assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
            assert.strictEqual(state.accepted, 1);
        }).pipe(Effect.provide(installed(url, Duration.minutes(1))));
    }).pipe(Effect.scoped, Effect.provide(ports), Effect.provide(times)));
});
describe("an SMTP server that rejects every mail", () => {
    for (const [stage, answer] of [
        ["CONNECT", "554 5.7.1 your address is not welcome"],
        ["RCPT", "554 5.7.1 <anna@example.org>: Relay access denied"],
    ]) {
        it.live(`mail waits while the server rejects this machine at ${stage}`, () => Effect.gen(function* () {
            // regression: all such mail failed
            const events = yield* recordEvents;
            const { state, url } = yield* StallingSmtpServer.make;
            state.refusals = { [stage]: answer };
            yield* Effect.gen(function* () {
                const id = yield* mail();
                // More calls than the retry policy has attempts.
                yield* eventually(() => state.reached, (count) => count >= 6);
                assert.isEmpty(events);
                state.refusals = {};
                assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
                assert.strictEqual(state.accepted, 1);
            }).pipe(Effect.provide(installed(url, Duration.minutes(1))));
        }).pipe(Effect.scoped, Effect.provide(ports)));
    }
    it.live("a single address that is not relayed fails without a pause of the provider", () => Effect.gen(function* () {
        const { state, url } = yield* StallingSmtpServer.make;
        yield* Effect.gen(function* () {
            assert.strictEqual((yield* awaitFinal(yield* mail()))?.status, "sent");
            state.refusals = { RCPT: "550 we do not relay" };
            const refused = yield* awaitFinal(yield* mail());
            assert.deepInclude(refused?.deliveries[0]?.summary, { status: "failed", reason: "refused" });
        }).pipe(Effect.provide(installed(url, Duration.minutes(1))));
    }).pipe(Effect.scoped, Effect.provide(ports)));
});

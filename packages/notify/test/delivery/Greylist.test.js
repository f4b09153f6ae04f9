/** A mail through a real greylist of one minute. Left out where postfix or postgrey is missing, and in CI. */
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer } from "effect";
import { Attachments } from "../../src/request/Attachments.ts";
import * as Smtp from "../../src/providers/email/Smtp.ts";
import * as GreylistingPostfix from "../support/GreylistingPostfix.ts";
import { awaitFinal, deliveryState, policy, ports, publishRequest, service } from "../support/NotifyHarness.ts";
import { Redacted } from "effect";
const reason = GreylistingPostfix.missing();
if (reason !== undefined)
    Programs.recordSkip(`the greylist of a real postfix: ${reason}`);
describe.skipIf(reason !== undefined)("a greylist of 60 s", () => {
    it.live("delays a mail, which then arrives once", () => Effect.gen(function* () {
        const server = yield* GreylistingPostfix.make;
        const smtp = Smtp.layer({ url: Redacted.make(server.url), from: "no-reply@example.com" });
        const installed = service(Layer.provide(smtp, Attachments.layer({ buckets: [] })), { rules: policy({}) });
        yield* Effect.gen(function* () {
            const id = yield* publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] });
            const state = yield* awaitFinal(id, 240);
            const [planned] = state?.deliveries ?? [];
            assert.strictEqual(planned?.summary?.status, "sent");
            const delivery = yield* deliveryState(planned?.delivery_id ?? "");
            assert.isAtLeast(delivery?.deferrals ?? 0, 1);
            const mails = yield* Effect.repeat(Effect.delay(server.mails, "100 millis"), {
                until: (found) => found.length > 0,
                times: 100,
            });
            assert.lengthOf(mails, 1);
            assert.include(mails[0], planned?.delivery_id ?? "no id");
        }).pipe(Effect.provide(installed.pipe(Layer.provideMerge(ports))));
    }), 300_000);
});

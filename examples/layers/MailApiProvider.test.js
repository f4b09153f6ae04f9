/** Tests the provider in the whole notify service, with ports in memory and a fake mail service that has one mailbox. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { NotifyService, Provider, Suppressions, Templates, UnsubscribeLinks } from "@armoricore/notify";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Testing } from "@armoricore/testing";
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Layer, Redacted } from "effect";
import { FetchHttpClient } from "effect/http";
import * as MailApiProvider from "./MailApiProvider.ts";
/** The notify service with this provider only. */
const notify = (url) => NotifyService.layer.pipe(Layer.provide(MailApiProvider.layer({ url, key: Redacted.make("k") })), Layer.provide([Provider.ProviderRegistry.layer(), FetchHttpClient.layer, Templates.Templates.layer([])]), Layer.provide([
    Suppressions.layer,
    UnsubscribeLinks.UnsubscribeLinks.layer({ key: Redacted.make("a key for links") }),
]), Layer.provide(PublicUrl.layerFixed("https://example.com")));
const request = EventCodec.encode({
    event_type: "notification.requested",
    event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
    timestamp: "2026-01-31T12:00:00Z",
    source: "php-backend",
    payload: {
        user_id: "ada",
        notification_type: "email",
        title: "Lunch",
        body: "in five minutes",
        recipients: [{ email: "known@example.com" }, { email: "gone@example.com" }],
    },
});
describe("MailApiProvider", () => {
    it.live("sends one mail per recipient and reports the missing mailbox", () => Effect.gen(function* () {
        const sent = [];
        const url = yield* FakeHttpServer.listenHttp(({ body }) => {
            const mail = JSON.parse(body.toString());
            sent.push(mail);
            return { status: mail.to === "known@example.com" ? 200 : 404 };
        });
        const bus = yield* EventBus;
        const result = yield* Deferred.make();
        yield* bus.subscribe(event("notification.sent"), (message) => Deferred.doneUnsafe(result, Effect.succeed(message)));
        yield* Layer.build(notify(url));
        yield* bus.publish({ address: event("notification.requested"), id: crypto.randomUUID(), body: request });
        const sentEvent = yield* EventCodec.decode((yield* Deferred.await(result)).body);
        const content = { subject: "Lunch", text: "in five minutes" };
        assert.sameDeepMembers(sent, [
            { to: "known@example.com", ...content },
            { to: "gone@example.com", ...content },
        ]);
        assert.match(JSON.stringify(sentEvent.event.payload), /"status":"sent".*"status":"failed","reason":"mailbox_unknown"/);
    }).pipe(Effect.provide(Testing.layer)));
});

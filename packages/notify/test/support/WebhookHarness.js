/** The webhooks of the e-mail providers, served over their fakes. */
import { SuppressionList } from "@armoricore/state/SuppressionList";
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { FakeSendGrid } from "@armoricore/testing/fakes/FakeSendGrid";
import { FakeSes } from "@armoricore/testing/fakes/FakeSes";
import { FakeSns } from "@armoricore/testing/fakes/FakeSns";
import { Effect, Layer } from "effect";
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http";
import { Attachments } from "../../src/request/Attachments.ts";
import * as SendGrid from "../../src/providers/email/SendGrid.ts";
import * as Ses from "../../src/providers/email/Ses.ts";
import * as UnsubscribeLinks from "../../src/unsubscribe/UnsubscribeLinks.ts";
import * as SendGridWebhook from "../../src/webhooks/SendGridWebhook.ts";
import * as SesWebhook from "../../src/webhooks/SesWebhook.ts";
import { ports, publishRequest, service } from "./NotifyHarness.ts";
export const from = "no-reply@example.com";
export const sendgrid = Layer.unwrap(Effect.map(FakeSendGrid, ({ apiKey, baseUrl }) => SendGrid.layer({ apiKey, baseUrl, from, reports: true })));
export const ses = Layer.unwrap(Effect.map(FakeSes, ({ credentials, endpoint, region }) => Ses.layer({ credentials, endpoint, region, from, reports: true })));
const webhooks = Layer.unwrap(Effect.gen(function* () {
    const { webhookKey } = yield* FakeSendGrid;
    const { baseUrl, topicArn } = yield* FakeSns;
    return Layer.mergeAll(SendGridWebhook.routes({ key: webhookKey }), SesWebhook.routes({
        topics: [topicArn],
        fetchText: (url) => Effect.promise(() => fetch(`${baseUrl}${url.pathname}${url.search}`).then((r) => r.text())),
    }), UnsubscribeLinks.routes);
}));
export const installed = (routes) => HttpRouter.serve(webhooks, { disableLogger: true, disableListenLog: true }).pipe(Layer.provideMerge(service(Layer.provide(routes, Attachments.layer({ buckets: [] })))), Layer.provideMerge(SuppressionList.layer), Layer.provideMerge(Layer.mergeAll(ports, FakeSendGrid.layer, FakeSes.layer, FakeSns.layer, NodeHttpServer.layerTest)));
export const call = Effect.fnUntraced(function* (path, { body, headers }) {
    const response = yield* HttpClientRequest.post(path).pipe(HttpClientRequest.setHeaders(headers), HttpClientRequest.bodyText(body, headers["content-type"] ?? "text/plain"), HttpClient.execute);
    return response.status;
});
export const mail = (email, more = {}) => publishRequest({ notification_type: "email", recipients: [{ email }], ...more });
export const of = (events, type) => events.filter(({ event_type }) => event_type === type);

/**
 * Purges any CDN through a webhook: `POST CDN_PURGE_URL {"urls": […]}`, signed like events with the key id `cdn`. The receiver
 * answers 2xx once the caches no longer serve the URLs.
 */
import * as Signature from "@armoricore/domain/Signature";
import { Clock, Effect, Layer } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
import { CdnPurge } from "../CdnPurge.ts";
import * as PurgeRequest from "./PurgeRequest.ts";
export const layer = ({ baseUrl, secret, url }) => Layer.effect(CdnPurge, Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient;
    return {
        purge: Effect.fn("WebhookPurge.purge")(function* (keys) {
            for (const urls of PurgeRequest.batchesOf(baseUrl, keys)) {
                const body = new TextEncoder().encode(JSON.stringify({ urls }));
                const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000);
                const request = HttpClientRequest.post(url).pipe(HttpClientRequest.setHeader(Signature.signatureHeader, Signature.sign("cdn", secret, seconds, body)), HttpClientRequest.bodyUint8Array(body, "application/json"));
                yield* Effect.provideService(PurgeRequest.send(request, "CDN_PURGE_URL"), HttpClient.HttpClient, client);
            }
        }),
    };
})).pipe(Layer.provide(FetchHttpClient.layer));

/** Akamai Fast Purge v3: deletes URLs from the edge within seconds. */
import { Clock, Effect, Layer } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
import { CdnPurge } from "../CdnPurge.ts";
import { authorization } from "./EdgeGrid.ts";
import * as PurgeRequest from "./PurgeRequest.ts";
export const layer = (options) => Layer.effect(CdnPurge, Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient;
    const origin = options.host.includes("://") ? options.host : `https://${options.host}`;
    const url = new URL("/ccu/v3/delete/url/production", origin);
    return {
        purge: Effect.fn("AkamaiPurge.purge")(function* (keys) {
            for (const objects of PurgeRequest.batchesOf(options.baseUrl, keys)) {
                const body = JSON.stringify({ objects });
                const now = yield* Clock.currentTimeMillis;
                const signed = { method: "POST", url, body, now, nonce: crypto.randomUUID() };
                const request = HttpClientRequest.post(url).pipe(HttpClientRequest.setHeader("authorization", authorization(options, signed)), HttpClientRequest.bodyText(body, "application/json"));
                yield* Effect.provideService(PurgeRequest.send(request, "AKAMAI_PURGE_HOST"), HttpClient.HttpClient, client);
            }
        }),
    };
})).pipe(Layer.provide(FetchHttpClient.layer));

/**
 * A typed client of the HTTP API. Errors of the server are `ProblemError`s; a lost connection is an `HttpClientError`.
 *
 *     const api = yield* ApiClient
 *     const media = yield* api.media.get({ params: { id: "m1" } })
 */
import { Context, Layer } from "effect";
import { HttpClient, HttpClientRequest } from "effect/http";
import { HttpApiClient } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
export class ApiClient extends Context.Service()("@armoricore/api/ApiClient") {
    static layer = ({ baseUrl, token, }) => Layer.effect(ApiClient, HttpApiClient.make(ArmoricoreApi, {
        ...(baseUrl === undefined ? {} : { baseUrl }),
        transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(token)),
    }));
}

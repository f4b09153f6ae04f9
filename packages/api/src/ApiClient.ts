/**
 * A typed client of the HTTP API. Errors of the server are `ProblemError`s; a lost connection is an `HttpClientError`.
 *
 *     const api = yield* ApiClient
 *     const media = yield* api.media.get({ params: { id: "m1" } })
 */
import { Context, Layer, type Redacted } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"

export interface ApiClientOptions {
  /** For example `https://api.example.org`; without it the requests keep the base URL of the `HttpClient`. */
  readonly baseUrl?: URL | string
  readonly token: Redacted.Redacted | string
}

export class ApiClient extends Context.Service<ApiClient, HttpApiClient.ForApi<typeof ArmoricoreApi>>()(
  "@armoricore/api/ApiClient",
) {
  static readonly layer = ({
    baseUrl,
    token,
  }: ApiClientOptions): Layer.Layer<ApiClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      ApiClient,
      HttpApiClient.make(ArmoricoreApi, {
        ...(baseUrl === undefined ? {} : { baseUrl }),
        transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(token)),
      }),
    )
}

/** A client of the operator API of a running installation, over HTTP with a token. */
import { Context, Layer, type Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { RpcClient, type RpcClientError, RpcSerialization } from "effect/rpc"
import type { RpcGroup } from "effect/rpc"
import { OperatorApi } from "./OperatorApi.ts"

type Procedures = RpcGroup.Rpcs<typeof OperatorApi>

export class OperatorClient extends Context.Service<
  OperatorClient,
  RpcClient.RpcClient<Procedures, RpcClientError.RpcClientError>
>()("@armoricore/operator/OperatorClient") {
  /** `url` is the installation's URL, for example `http://127.0.0.1:4000`. */
  static readonly layer = (options: {
    readonly url: string
    readonly token: Redacted.Redacted
  }): Layer.Layer<OperatorClient> =>
    Layer.effect(OperatorClient, RpcClient.make(OperatorApi)).pipe(
      Layer.provide(
        RpcClient.layerProtocolHttp({
          url: new URL("/rpc", options.url).href,
          transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(options.token)),
        }),
      ),
      Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson]),
    )
}

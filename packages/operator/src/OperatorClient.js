/** A client of the operator API of a running installation, over HTTP with a token. */
import { Context, Layer } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
import { RpcClient, RpcSerialization } from "effect/rpc";
import { OperatorApi } from "./OperatorApi.ts";
export class OperatorClient extends Context.Service()("@armoricore/operator/OperatorClient") {
    /** `url` is the installation's URL, for example `http://127.0.0.1:4000`. */
    static layer = (options) => Layer.effect(OperatorClient, RpcClient.make(OperatorApi)).pipe(Layer.provide(RpcClient.layerProtocolHttp({
        url: new URL("/rpc", options.url).href,
        transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(options.token)),
    })), Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson]));
}

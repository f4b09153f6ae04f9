/** Fakes of the HTTP APIs of Vault and AWS Secrets Manager, on a free port until the scope closes. */
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import { listen } from "@armoricore/testing/LocalPort";
import * as SignatureV4 from "@armoricore/testing/SignatureV4";
import { Effect } from "effect";
import { createServer } from "node:http";
const json = (status, body) => ({ status, body: JSON.stringify(body) });
/**
 * A Vault with the token `good-token`, the role `armoricore` for the service account `pod-jwt`, and a secret in both
 * versions of the engine: `secret/data/armoricore` and `kv/armoricore`. The first `busy` requests fail because it is sealed.
 */
export const vault = Effect.fnUntraced(function* (options = {}) {
    let fields = {};
    let busy = options.busy ?? 0;
    const address = yield* FakeHttpServer.listenHttp(({ body, headers, method, path }) => {
        if (busy-- > 0)
            return json(503, { errors: ["Vault is sealed"] });
        if (headers["x-vault-request"] !== "true")
            return json(412, { errors: ["required 'X-Vault-Request' is missing"] });
        if (method === "POST" && path === "/v1/auth/kubernetes/login") {
            const asked = JSON.parse(body.toString());
            return JSON.stringify(asked) === '{"role":"armoricore","jwt":"pod-jwt"}'
                ? json(200, { auth: { client_token: "good-token", lease_duration: 3600, renewable: true } })
                : json(403, { errors: ["permission denied"] });
        }
        if (headers["x-vault-token"] !== "good-token")
            return json(403, { errors: ["permission denied"] });
        if (path === "/v1/secret/data/armoricore")
            return json(200, { data: { data: fields, metadata: { version: 1, destroyed: false } } });
        return path === "/v1/kv/armoricore" ? json(200, { data: fields }) : json(404, { errors: [] });
    });
    const write = (given) => Effect.sync(() => {
        fields = given;
    });
    return { address, write };
});
/** A Secrets Manager that checks each signature, with one secret: `prod/armoricore`. */
export const secretsManager = Effect.fnUntraced(function* (text) {
    const server = createServer((request, response) => {
        const chunks = [];
        request.on("data", (chunk) => chunks.push(chunk));
        request.on("end", () => {
            const refuse = (status, type) => {
                response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
                response.end(JSON.stringify({ __type: type, Message: type }));
            };
            if (SignatureV4.verify(request, "fake-secret", Date.now()) !== undefined)
                return refuse(403, "InvalidSignatureException");
            if (request.headers["x-amz-target"] !== "secretsmanager.GetSecretValue")
                return refuse(400, "UnknownOperation");
            const { SecretId } = JSON.parse(Buffer.concat(chunks).toString());
            if (SecretId !== "prod/armoricore")
                return refuse(400, "ResourceNotFoundException");
            response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
            response.end(JSON.stringify({ Name: SecretId, SecretString: text }));
        });
    });
    return `http://127.0.0.1:${yield* listen(server)}`;
});

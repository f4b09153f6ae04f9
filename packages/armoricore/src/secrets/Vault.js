/**
 * HashiCorp Vault and OpenBao: reads a secret of the key-value engine (version 1 or 2), with a token or with the service
 * account of a Kubernetes pod.
 *
 * Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and …/auth/kubernetes.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Effect, FileSystem, Option, Redacted, Schema } from "effect";
import { HttpClient, HttpClientRequest } from "effect/http";
import { parseSecrets } from "./SecretStore.ts";
const LoginResponse = Schema.Struct({ auth: Schema.Struct({ client_token: Schema.String }) });
const KvVersion1 = Schema.Struct({ data: Schema.Unknown });
const KvVersion2 = Schema.Struct({ data: Schema.Struct({ data: Schema.Unknown, metadata: Schema.Unknown }) });
export const make = Effect.fnUntraced(function* (options) {
    const http = yield* HttpClient.HttpClient;
    const fs = yield* FileSystem.FileSystem;
    const name = `Vault at ${options.address}, secret ${options.path}`;
    const send = (request, onDenied) => Effect.gen(function* () {
        const namespaceHeader = options.namespace === undefined ? {} : { "x-vault-namespace": options.namespace };
        const response = yield* http.execute(HttpClientRequest.setHeaders(request, { "x-vault-request": "true", ...namespaceHeader }));
        if (response.status >= 200 && response.status < 300)
            return yield* response.json;
        return yield* responseError(response, onDenied);
    }).pipe(Effect.timeout("10 seconds"), Effect.catchTags({
        HttpClientError: (cause) => Effect.fail(unavailable(`cannot be reached: ${cause.message}`, cause)),
        TimeoutError: (cause) => Effect.fail(unavailable("did not respond within 10 s", cause)),
    }));
    const responseError = (response, onDenied) => {
        switch (response.status) {
            case 404:
                return Effect.fail(new ConfigurationError({
                    setting: "VAULT_SECRET",
                    message: `VAULT_SECRET names ${options.path}, which ${options.address} does not have; for version 2 of the engine, put /data/ after the mount, as in secret/data/armoricore`,
                }));
            case 400:
            case 403:
                return Effect.fail(onDenied);
            default:
                return Effect.fail(unavailable(response.status === 503 ? "is sealed or in maintenance" : `responded with ${response.status}`));
        }
    };
    const unavailable = (problem, cause) => new TransientError({
        dependency: "vault",
        code: "unavailable",
        message: `Vault at ${options.address} ${problem}`,
        ...(cause === undefined ? {} : { cause }),
    });
    const login = Effect.gen(function* () {
        if ("token" in options.login)
            return options.login.token;
        const { jwtFile, mount, role } = options.login;
        // Read each time, because Kubernetes rotates the token.
        const jwt = yield* Effect.mapError(fs.readFileString(jwtFile), (cause) => new ConfigurationError({
            setting: "VAULT_JWT_PATH",
            message: `VAULT_JWT_PATH names ${jwtFile}, which cannot be read; it must be the pod's service account token`,
            cause,
        }));
        const json = yield* send(HttpClientRequest.post(`${options.address}/v1/auth/${mount}/login`).pipe(HttpClientRequest.bodyJsonUnsafe({ role, jwt: jwt.trim() })), new ConfigurationError({
            setting: "VAULT_ROLE",
            message: `Vault denied the role ${role} to this pod's service account; bind the account to the role at auth/${mount}`,
        }));
        return Option.match(Schema.decodeUnknownOption(LoginResponse)(json), {
            onNone: () => Redacted.make(""),
            onSome: ({ auth }) => Redacted.make(auth.client_token),
        });
    });
    const store = {
        name,
        read: Effect.gen(function* () {
            const token = yield* login;
            const json = yield* send(HttpClientRequest.get(`${options.address}/v1/${options.path}`).pipe(HttpClientRequest.setHeader("x-vault-token", Redacted.value(token))), new ConfigurationError({
                setting: "token" in options.login ? "VAULT_TOKEN" : "VAULT_ROLE",
                message: `Vault denied access to ${options.path}; the policy of ${"token" in options.login ? "VAULT_TOKEN" : "VAULT_ROLE"} must grant "read" on it, or the token has expired`,
            }));
            const data = Option.orElse(Option.map(Schema.decodeUnknownOption(KvVersion2)(json), (response) => response.data.data), () => Option.map(Schema.decodeUnknownOption(KvVersion1)(json), (response) => response.data));
            return yield* Option.match(Option.flatMap(data, parseSecrets), {
                onNone: () => Effect.fail(new ConfigurationError({
                    setting: "VAULT_SECRET",
                    message: `${name} is not an object of names and values; write it with: vault kv put … JWT_SECRET=…`,
                })),
                onSome: (secrets) => Effect.succeed(secrets),
            });
        }),
    };
    return store;
});

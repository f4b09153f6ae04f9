/**
 * HashiCorp Vault and OpenBao: a secret of the key-value engine, version 1 or 2, read with a token or with the service
 * account of a Kubernetes pod.
 *
 * Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and …/auth/kubernetes.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Effect, FileSystem, Option, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { type SecretStore, parseSecrets } from "./SecretStore.ts"

export interface VaultOptions {
  /** Without a slash at its end. */
  readonly address: string
  /** As the HTTP API has it below `/v1/`: `secret/data/armoricore` for version 2 of the engine. */
  readonly path: string
  readonly namespace?: string
  readonly login:
    | { readonly token: Redacted.Redacted<string> }
    | { readonly role: string; readonly mount: string; readonly jwtFile: string }
}

const LoginResponse = Schema.Struct({ auth: Schema.Struct({ client_token: Schema.String }) })

const KvVersion1 = Schema.Struct({ data: Schema.Unknown })
const KvVersion2 = Schema.Struct({ data: Schema.Struct({ data: Schema.Unknown, metadata: Schema.Unknown }) })

export const make = Effect.fnUntraced(function* (options: VaultOptions) {
  const http = yield* HttpClient.HttpClient
  const fs = yield* FileSystem.FileSystem
  const name = `Vault at ${options.address}, secret ${options.path}`

  const ask = (request: HttpClientRequest.HttpClientRequest, refused: ConfigurationError) =>
    Effect.gen(function* () {
      const named = options.namespace === undefined ? {} : { "x-vault-namespace": options.namespace }
      const response = yield* http.execute(
        HttpClientRequest.setHeaders(request, { "x-vault-request": "true", ...named }),
      )
      if (response.status >= 200 && response.status < 300) return yield* response.json
      return yield* fault(response, refused)
    }).pipe(
      Effect.timeout("10 seconds"),
      Effect.catchTags({
        HttpClientError: (cause) => Effect.fail(unavailable(`cannot be reached: ${cause.message}`, cause)),
        TimeoutError: (cause) => Effect.fail(unavailable("does not answer within 10 s", cause)),
      }),
    )

  const fault = (response: HttpClientResponse.HttpClientResponse, refused: ConfigurationError) => {
    switch (response.status) {
      case 404:
        return Effect.fail(
          new ConfigurationError({
            setting: "VAULT_SECRET",
            message: `VAULT_SECRET names ${options.path}, which ${options.address} does not have; with version 2 of the engine the path has /data/ behind the mount, as in secret/data/armoricore`,
          }),
        )
      case 400:
      case 403:
        return Effect.fail(refused)
      default:
        return Effect.fail(
          unavailable(response.status === 503 ? "is sealed or in maintenance" : `answers ${response.status}`),
        )
    }
  }

  const unavailable = (what: string, cause?: unknown) =>
    new TransientError({
      dependency: "vault",
      code: "unavailable",
      message: `Vault at ${options.address} ${what}`,
      ...(cause === undefined ? {} : { cause }),
    })

  const login = Effect.gen(function* () {
    if ("token" in options.login) return options.login.token
    const { jwtFile, mount, role } = options.login
    // Read anew each time: Kubernetes replaces the file.
    const jwt = yield* Effect.mapError(
      fs.readFileString(jwtFile),
      (cause) =>
        new ConfigurationError({
          setting: "VAULT_JWT_FILE",
          message: `VAULT_JWT_FILE names ${jwtFile}, which cannot be read; it is the pod's service account token`,
          cause,
        }),
    )
    const answer = yield* ask(
      HttpClientRequest.post(`${options.address}/v1/auth/${mount}/login`).pipe(
        HttpClientRequest.bodyJsonUnsafe({ role, jwt: jwt.trim() }),
      ),
      new ConfigurationError({
        setting: "VAULT_ROLE",
        message: `Vault refuses the role ${role} to this pod's service account; bind the account to the role at auth/${mount}`,
      }),
    )
    return Option.match(Schema.decodeUnknownOption(LoginResponse)(answer), {
      onNone: () => Redacted.make(""),
      onSome: ({ auth }) => Redacted.make(auth.client_token),
    })
  })

  const store: SecretStore = {
    name,
    read: Effect.gen(function* () {
      const token = yield* login
      const answer = yield* ask(
        HttpClientRequest.get(`${options.address}/v1/${options.path}`).pipe(
          HttpClientRequest.setHeader("x-vault-token", Redacted.value(token)),
        ),
        new ConfigurationError({
          setting: "token" in options.login ? "VAULT_TOKEN" : "VAULT_ROLE",
          message: `Vault refuses to show ${options.path}; the policy of ${"token" in options.login ? "VAULT_TOKEN" : "VAULT_ROLE"} must grant "read" on it, and a token may have ended`,
        }),
      )
      const data = Option.orElse(
        Option.map(Schema.decodeUnknownOption(KvVersion2)(answer), (found) => found.data.data),
        () => Option.map(Schema.decodeUnknownOption(KvVersion1)(answer), (found) => found.data),
      )
      return yield* Option.match(Option.flatMap(data, parseSecrets), {
        onNone: () =>
          Effect.fail(
            new ConfigurationError({
              setting: "VAULT_SECRET",
              message: `${name} is no object of names and values; write it with: vault kv put … JWT_SECRET=…`,
            }),
          ),
        onSome: (secrets) => Effect.succeed(secrets),
      })
    }),
  }
  return store
})

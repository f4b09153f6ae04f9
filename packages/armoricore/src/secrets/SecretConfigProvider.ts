/**
 * Settings from a secret store behind those of the environment. The store's own settings come from the environment, or
 * from files that `NAME_FILE` names.
 */
import * as Backoff from "@armoricore/domain/Backoff"
import { FetchHttpClient } from "effect/http"
import { ConfigProvider, Effect, Option, Schedule } from "effect"
import type { SettingValues } from "../settings/Table.ts"
import * as AwsSecretsManager from "./AwsSecretsManager.ts"
import type { SecretStore } from "./SecretStore.ts"
import * as Vault from "./Vault.ts"

/** Those that say where the store is. */
export type SecretStoreSettings = Pick<
  SettingValues,
  | "VAULT_ADDR"
  | "VAULT_SECRET"
  | "VAULT_TOKEN"
  | "VAULT_ROLE"
  | "VAULT_AUTH_MOUNT"
  | "VAULT_JWT_PATH"
  | "VAULT_NAMESPACE"
  | "AWS_SECRET_ID"
  | "AWS_REGION"
  | "AWS_SECRETS_ENDPOINT"
>

const openStore = Effect.fnUntraced(function* (place: SecretStoreSettings) {
  const { AWS_REGION: region, AWS_SECRET_ID: secretId, AWS_SECRETS_ENDPOINT: endpoint } = place
  if (secretId !== undefined)
    return Option.some<SecretStore>(
      yield* AwsSecretsManager.make({
        secretId,
        ...(region === undefined ? {} : { region }),
        ...(endpoint === undefined ? {} : { endpoint }),
      }),
    )
  const { VAULT_ADDR: address, VAULT_NAMESPACE: namespace, VAULT_ROLE: role, VAULT_SECRET: path, VAULT_TOKEN } = place
  const login =
    VAULT_TOKEN !== undefined
      ? { token: VAULT_TOKEN }
      : role !== undefined
        ? { role, mount: place.VAULT_AUTH_MOUNT, jwtFile: place.VAULT_JWT_PATH }
        : undefined
  if (address === undefined || path === undefined || login === undefined) return Option.none<SecretStore>()
  return Option.some<SecretStore>(
    yield* Vault.make({ address, path, login, ...(namespace === undefined ? {} : { namespace }) }),
  )
})

/** At the start a store that is away is waited for, as the bus is; half a minute is what a probe grants. */
const startupRetrySchedule = Schedule.max([Backoff.capped("250 millis", "5 seconds"), Schedule.during("30 seconds")])

/** The environment with the store's secrets behind it; the environment alone where no store is set. */
export const configProviderFor = Effect.fnUntraced(
  function* (place: SecretStoreSettings) {
    const environment = yield* ConfigProvider.ConfigProvider
    const store = yield* openStore(place)
    if (Option.isNone(store)) return environment
    const secrets = yield* store.value.read.pipe(
      Effect.tapError((error) => Effect.logWarning(`${store.value.name}: ${error.message}`)),
      Effect.retry({ while: (error) => error._tag === "TransientError", schedule: startupRetrySchedule }),
    )
    return ConfigProvider.orElse(environment, ConfigProvider.fromEnvRecord(secrets))
  },
  Effect.scoped,
  Effect.provide(FetchHttpClient.layer),
)

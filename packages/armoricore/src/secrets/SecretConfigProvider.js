/**
 * Adds settings of a secret store to those of the environment, which take precedence. The settings of the store itself
 * come from the environment, or from `NAME_FILE` files.
 */
import * as Backoff from "@armoricore/domain/Backoff";
import { FetchHttpClient } from "effect/http";
import { ConfigProvider, Effect, Option, Schedule } from "effect";
import * as Vault from "./Vault.ts";
const openStore = Effect.fnUntraced(function* (settings) {
    const { AWS_REGION: region, AWS_SECRET_ID: secretId, AWS_SECRETS_ENDPOINT: endpoint } = settings;
    if (secretId !== undefined) {
        // The AWS SDK is loaded only where it is used.
        const AwsSecretsManager = yield* Effect.promise(() => import("./AwsSecretsManager.ts"));
        return Option.some(yield* AwsSecretsManager.make({
            secretId,
            ...(region === undefined ? {} : { region }),
            ...(endpoint === undefined ? {} : { endpoint }),
        }));
    }
    const { VAULT_ADDR: address, VAULT_NAMESPACE: namespace, VAULT_ROLE: role, VAULT_SECRET: path, VAULT_TOKEN, } = settings;
    const login = VAULT_TOKEN !== undefined
        ? { token: VAULT_TOKEN }
        : role !== undefined
            ? { role, mount: settings.VAULT_AUTH_MOUNT, jwtFile: settings.VAULT_JWT_PATH }
            : undefined;
    if (address === undefined || path === undefined || login === undefined)
        return Option.none();
    return Option.some(yield* Vault.make({ address, path, login, ...(namespace === undefined ? {} : { namespace }) }));
});
/** Retries an unavailable store at startup for 30 s, which startup probes usually allow. */
const startupRetrySchedule = Schedule.max([Backoff.capped("250 millis", "5 seconds"), Schedule.during("30 seconds")]);
/** The environment, then the secrets of the store, if one is configured. */
export const configProviderFor = Effect.fnUntraced(function* (settings) {
    const environment = yield* ConfigProvider.ConfigProvider;
    const store = yield* openStore(settings);
    if (Option.isNone(store))
        return environment;
    const secrets = yield* store.value.read.pipe(Effect.tapError((error) => Effect.logWarning(`${store.value.name}: ${error.message}`)), Effect.retry({ while: (error) => error._tag === "TransientError", schedule: startupRetrySchedule }));
    return ConfigProvider.orElse(environment, ConfigProvider.fromEnvRecord(secrets));
}, Effect.scoped, Effect.provide(FetchHttpClient.layer));

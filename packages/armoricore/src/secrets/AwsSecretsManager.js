/**
 * AWS Secrets Manager: reads one secret, a JSON object. The AWS SDK finds credentials and region as usual: environment,
 * shared files, or the role of the pod or machine.
 *
 * Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { Effect, Option, Result } from "effect";
import { parseSecrets } from "./SecretStore.ts";
export const make = Effect.fnUntraced(function* (options) {
    const client = yield* Effect.acquireRelease(Effect.sync(() => new SecretsManagerClient({
        maxAttempts: 1,
        ...(options.region === undefined ? {} : { region: options.region }),
        ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    })), (opened) => Effect.sync(() => opened.destroy()));
    const name = `AWS Secrets Manager, secret ${options.secretId}`;
    const store = {
        name,
        read: Effect.gen(function* () {
            const { SecretString: text } = yield* Effect.tryPromise({
                try: (signal) => client.send(new GetSecretValueCommand({ SecretId: options.secretId }), { abortSignal: signal }),
                catch: (cause) => errorFrom(cause, options),
            }).pipe(Effect.timeoutOrElse({
                duration: "10 seconds",
                orElse: () => new TransientError({
                    dependency: "secrets_manager",
                    code: "timeout",
                    message: "AWS Secrets Manager did not respond within 10 s",
                }),
            }));
            const parsed = Result.try(() => JSON.parse(text ?? ""));
            return yield* Option.match(Result.isSuccess(parsed) ? parseSecrets(parsed.success) : Option.none(), {
                onNone: () => Effect.fail(new ConfigurationError({
                    setting: "AWS_SECRET_ID",
                    message: `${name} is not a JSON object of names and values, such as {"JWT_SECRET":"…"}`,
                })),
                onSome: (secrets) => Effect.succeed(secrets),
            });
        }),
    };
    return store;
});
/** Errors that need a change of configuration. All others are transient. */
const configurationErrors = {
    ResourceNotFoundException: "does not exist; check AWS_SECRET_ID and AWS_REGION",
    AccessDeniedException: "cannot be read: access denied; grant secretsmanager:GetSecretValue on it",
    UnrecognizedClientException: "cannot be read: AWS does not know the credentials",
    InvalidSignatureException: "cannot be read: the AWS secret access key is wrong",
    ExpiredTokenException: "cannot be read: the AWS credentials have expired",
    DecryptionFailure: "cannot be decrypted; grant kms:Decrypt on its key",
    InvalidRequestException: "cannot be read; it may be scheduled for deletion",
    CredentialsProviderError: "cannot be read: no AWS credentials were found",
};
const errorFrom = (cause, { secretId }) => {
    const code = cause instanceof Error ? cause.name : "";
    const problem = configurationErrors[code];
    if (problem !== undefined)
        return new ConfigurationError({ setting: "AWS_SECRET_ID", message: `the AWS secret ${secretId} ${problem}`, cause });
    if (cause instanceof Error && cause.message.includes("Region is missing"))
        return new ConfigurationError({
            setting: "AWS_REGION",
            message: "AWS_REGION is missing: AWS_SECRET_ID needs it",
            cause,
        });
    return new TransientError({
        dependency: "secrets_manager",
        code: "unavailable",
        message: `AWS Secrets Manager request failed: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
    });
};

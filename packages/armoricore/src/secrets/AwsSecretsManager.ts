/**
 * AWS Secrets Manager: one secret whose text is a JSON object. Credentials and region come the way of every AWS SDK:
 * environment, shared files, the role of a pod or machine.
 *
 * Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager"
import { Effect, Option, Result } from "effect"
import { type SecretStore, parseSecrets } from "./SecretStore.ts"

export interface AwsOptions {
  /** Name or ARN. */
  readonly secretId: string
  /** Default: as the SDK finds it. */
  readonly region?: string
  /** For a private endpoint. */
  readonly endpoint?: string
}

export const make = Effect.fnUntraced(function* (options: AwsOptions) {
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new SecretsManagerClient({
          maxAttempts: 1,
          ...(options.region === undefined ? {} : { region: options.region }),
          ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
        }),
    ),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  const name = `AWS Secrets Manager, secret ${options.secretId}`
  const store: SecretStore = {
    name,
    read: Effect.gen(function* () {
      const { SecretString: text } = yield* Effect.tryPromise({
        try: (signal) =>
          client.send(new GetSecretValueCommand({ SecretId: options.secretId }), { abortSignal: signal }),
        catch: (cause) => errorFrom(cause, options),
      }).pipe(
        Effect.timeoutOrElse({
          duration: "10 seconds",
          orElse: () =>
            new TransientError({
              dependency: "secrets_manager",
              code: "timeout",
              message: "AWS Secrets Manager does not answer within 10 s",
            }),
        }),
      )
      const parsed = Result.try((): unknown => JSON.parse(text ?? ""))
      return yield* Option.match(Result.isSuccess(parsed) ? parseSecrets(parsed.success) : Option.none(), {
        onNone: () =>
          Effect.fail(
            new ConfigurationError({
              setting: "AWS_SECRET_ID",
              message: `${name} is no JSON object of names and values, such as {"JWT_SECRET":"…"}`,
            }),
          ),
        onSome: (secrets) => Effect.succeed(secrets),
      })
    }),
  }
  return store
})

/** Those that only an operator cures; every other fault may pass. */
const configurationErrors: Readonly<Record<string, string>> = {
  ResourceNotFoundException: "is not there; check AWS_SECRET_ID and AWS_REGION",
  AccessDeniedException: "may not be read; grant secretsmanager:GetSecretValue on it",
  UnrecognizedClientException: "may not be read: the AWS credentials are not known",
  InvalidSignatureException: "may not be read: the AWS credentials do not sign rightly",
  ExpiredTokenException: "may not be read: the AWS credentials have ended",
  DecryptionFailure: "cannot be decrypted; grant kms:Decrypt on its key",
  InvalidRequestException: "cannot be read; it may be scheduled for deletion",
  CredentialsProviderError: "cannot be asked for: no AWS credentials were found",
}

const errorFrom = (cause: unknown, { secretId }: AwsOptions): ConfigurationError | TransientError => {
  const code = cause instanceof Error ? cause.name : ""
  const told = configurationErrors[code]
  if (told !== undefined)
    return new ConfigurationError({ setting: "AWS_SECRET_ID", message: `the AWS secret ${secretId} ${told}`, cause })
  if (cause instanceof Error && cause.message.includes("Region is missing"))
    return new ConfigurationError({
      setting: "AWS_REGION",
      message: "AWS_REGION is missing: AWS_SECRET_ID needs it",
      cause,
    })
  return new TransientError({
    dependency: "secrets_manager",
    code: "unavailable",
    message: `AWS Secrets Manager cannot be asked: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  })
}

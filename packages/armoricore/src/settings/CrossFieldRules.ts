/**
 * Rules for combinations of settings, such as: a provider has all of its settings or none. Each error is a sentence that
 * begins with the variable to change.
 */
import { canonicalTag } from "@armoricore/ai/LanguageTag"
import { findEngine, localEngineNames, speechEngines } from "@armoricore/ai/engines/SpeechEngineRegistry"
import { providers } from "@armoricore/notify/providers/Providers"
import { X509Certificate } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { Duration, Redacted, Result } from "effect"
import { accessErrors } from "./Access.ts"
import { emailProviders } from "./Providers.ts"
import type { SettingName, SettingValues } from "./Table.ts"

/** Settings of a provider: if any of `required` or `optional` is set, all of `required` must be. */
const requiredTogether: ReadonlyArray<
  readonly [provider: string, required: ReadonlyArray<SettingName>, optional: ReadonlyArray<SettingName>]
> = [
  ["S3 object storage", ["OBJECT_STORAGE_ENDPOINT", "OBJECT_STORAGE_ACCESS_KEY", "OBJECT_STORAGE_SECRET_KEY"], []],
  ["TLS", ["TLS_CERT", "TLS_KEY"], []],
  ["OpenID Connect at the console", ["OIDC_ISSUER", "OIDC_CLIENT_ID"], []],
  ["Vault", ["VAULT_ADDR", "VAULT_SECRET"], ["VAULT_TOKEN", "VAULT_ROLE", "VAULT_NAMESPACE"]],
  ["AWS Secrets Manager", ["AWS_SECRET_ID"], ["AWS_SECRETS_ENDPOINT"]],
  ...providers.map(
    ({ optionalSettings, requiredSettings, title }) => [title, requiredSettings, optionalSettings] as const,
  ),
  ["DKIM", ["DKIM_DOMAIN", "DKIM_SELECTOR", "DKIM_KEY"], []],
  ["whisper-cli", ["WHISPER_MODEL_PATH"], ["WHISPER_CLI_PATH"]],
  ["the moderation model", ["MODERATION_BASE_URL"], ["MODERATION_API_KEY", "MODERATION_MODEL"]],
  [
    "the purge by Akamai",
    ["AKAMAI_PURGE_HOST", "AKAMAI_PURGE_CLIENT_TOKEN", "AKAMAI_PURGE_ACCESS_TOKEN", "AKAMAI_PURGE_CLIENT_SECRET"],
    [],
  ],
  ["the purge webhook", ["CDN_PURGE_URL", "CDN_PURGE_SECRET"], []],
  ["the key server", ["MEDIA_KEY_SERVER_URL", "MEDIA_KEY_SERVER_SECRET"], []],
  ["the webhook of results", ["WEBHOOK_URL", "WEBHOOK_SECRET"], []],
  ["the authorization of joins", ["AUTHORIZE_URL", "AUTHORIZE_SECRET"], []],
]

const fileSettings: ReadonlyArray<SettingName> = [
  "NOTIFY_TEMPLATES",
  "TLS_CERT",
  "TLS_KEY",
  "NATS_CREDS",
  "NATS_CA",
  "AMQP_CA",
  "STATE_CA",
  ...providers.flatMap(({ fileSettings }): ReadonlyArray<SettingName> => fileSettings),
  "FFMPEG_PATH",
  "FFPROBE_PATH",
  ...speechEngines.flatMap(({ fileSettings }) => fileSettings),
]

const certificateSettings = ["NATS_CA", "AMQP_CA", "STATE_CA", "TLS_CERT"] as const satisfies ReadonlyArray<SettingName>

const read = (path: string): string =>
  Result.getOrElse(
    Result.try(() => readFileSync(path, "utf8")),
    () => "",
  )

/** Every certificate in the file can be read. */
const isCertificateFile = (path: string): boolean => {
  const certificates = read(path).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  return (
    certificates.length > 0 && certificates.every((pem) => Result.isSuccess(Result.try(() => new X509Certificate(pem))))
  )
}

const isCredsFile = (path: string): boolean => /BEGIN NATS USER JWT[^]*BEGIN USER NKEY SEED/.test(read(path))

const emailProviderNames: ReadonlyArray<string> = emailProviders.map(({ name }) => name)

export const crossFieldErrors = (values: SettingValues): ReadonlyArray<string> => {
  const errors: Array<string> = []
  const isSet = (name: SettingName) => values[name] !== undefined
  const isNamed = (name: SettingName) => errors.some((error) => error.startsWith(`${name} `))
  for (const [provider, required, optional] of requiredTogether) {
    if (![...required, ...optional].some(isSet)) continue
    for (const name of required) {
      if (!isSet(name))
        errors.push(
          `${name} is missing: ${provider} is only partly configured; set it, or unset ${[...required, ...optional].filter(isSet).join(", ")}`,
        )
    }
  }
  for (const name of fileSettings) {
    const path = values[name]
    if (typeof path === "string" && !existsSync(path)) errors.push(`${name} names ${path}, which does not exist`)
  }
  errors.push(...tokenErrors(values))
  errors.push(...accessErrors(values))
  if (isSet("OIDC_ISSUER") && !isSet("JWT_JWKS_URL") && !isSet("JWT_PUBLIC_KEY"))
    errors.push("JWT_JWKS_URL is missing: it verifies the tokens of OIDC_ISSUER; set it, or unset OIDC_ISSUER")
  if (isSet("VAULT_ADDR") && isSet("VAULT_TOKEN") === isSet("VAULT_ROLE"))
    errors.push("VAULT_ADDR needs either VAULT_TOKEN or VAULT_ROLE, not both")
  if (isSet("VAULT_ADDR") && isSet("AWS_SECRET_ID"))
    errors.push("AWS_SECRET_ID and VAULT_ADDR are both set; unset one of them")
  errors.push(...busErrors(values))
  for (const name of certificateSettings) {
    const path = values[name]
    if (typeof path === "string" && existsSync(path) && !isCertificateFile(path) && !isNamed(name))
      errors.push(`${name} names ${path}, which holds no PEM certificate`)
  }
  if (
    values.NATS_CREDS !== undefined &&
    existsSync(values.NATS_CREDS) &&
    !isCredsFile(values.NATS_CREDS) &&
    !isNamed("NATS_CREDS")
  )
    errors.push(
      `NATS_CREDS names ${values.NATS_CREDS}, which is no credentials file: it needs a NATS USER JWT and a USER NKEY SEED`,
    )
  if (emailProviders.some(({ isEnabled }) => isEnabled(values)) && !isSet("MAIL_FROM")) {
    errors.push("MAIL_FROM is missing: an e-mail provider is set, and it needs a sender")
  }
  if (isSet("AKAMAI_EDGEAUTH_KEY") && !isSet("CDN_BASE_URL")) {
    errors.push("CDN_BASE_URL is missing: AKAMAI_EDGEAUTH_KEY signs URLs of a CDN; set its address, or unset the key")
  }
  for (const name of ["AKAMAI_PURGE_HOST", "CDN_PURGE_URL"] as const) {
    if (isSet(name) && !isSet("CDN_BASE_URL"))
      errors.push(`CDN_BASE_URL is missing: ${name} purges URLs of a CDN; set its address, or unset ${name}`)
  }
  if (isSet("AKAMAI_PURGE_HOST") && isSet("CDN_PURGE_URL"))
    errors.push("CDN_PURGE_URL and AKAMAI_PURGE_HOST are both set; keep one way to purge the CDN")
  if (values.MEDIA_PROTECTION !== "off" && !isSet("MEDIA_KEY_SECRET"))
    errors.push(
      "MEDIA_KEY_SECRET is missing: it encrypts the content keys of MEDIA_PROTECTION; set it, or unset the protection",
    )
  if (values.MEDIA_PROTECTION !== "off" && isSet("MEDIA_MP4"))
    errors.push("MEDIA_MP4 makes files that are not encrypted; unset it, or unset MEDIA_PROTECTION")
  if (Duration.toMillis(values.RETRY_BASE) > Duration.toMillis(values.RETRY_CAP)) {
    errors.push("RETRY_BASE is longer than RETRY_CAP; set a base of at most the cap")
  }
  for (const [service, policy] of Object.entries(values.RETRY_SERVICES ?? {})) {
    // The webhook has defaults of its own, so only its explicit values are compared.
    const { base, cap } = service === "webhook" ? policy : { base: values.RETRY_BASE, cap: values.RETRY_CAP, ...policy }
    if (base === undefined || cap === undefined) continue
    if (Duration.toMillis(base) > Duration.toMillis(cap))
      errors.push(`RETRY_SERVICES has a base longer than the cap for ${service}; set a base of at most the cap`)
  }
  if (values.REALTIME_MAX_FRAME_BYTES < values.REALTIME_MAX_MESSAGE_BYTES) {
    errors.push("REALTIME_MAX_FRAME_BYTES is smaller than REALTIME_MAX_MESSAGE_BYTES; a message travels in one frame")
  }
  for (const bucket of [values.OBJECT_STORAGE_BUCKET, ...(values.MEDIA_SOURCE_BUCKETS ?? [])]) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(bucket))
      errors.push(
        `${bucket === values.OBJECT_STORAGE_BUCKET ? "OBJECT_STORAGE_BUCKET" : "MEDIA_SOURCE_BUCKETS"} names ${bucket}, which is not a bucket name: use 2 to 63 letters, digits, dots, dashes and underscores`,
      )
  }
  if (
    values.AKAMAI_EDGEAUTH_KEY !== undefined &&
    !/^([0-9a-fA-F]{2})+$/.test(Redacted.value(values.AKAMAI_EDGEAUTH_KEY))
  ) {
    errors.push("AKAMAI_EDGEAUTH_KEY must be hexadecimal with two digits per byte, as in the CDN's console")
  }
  for (const name of values.MAIL_PROVIDERS ?? []) {
    if (!emailProviderNames.includes(name))
      errors.push(`MAIL_PROVIDERS names ${name}; the e-mail providers are ${emailProviderNames.join(", ")}`)
  }
  const engine = findEngine(values.SPEECH_ENGINE ?? "off")
  if (engine !== undefined) errors.push(...engine.missingSettings(values, `SPEECH_ENGINE is ${engine.name}`))
  const speechOnly = (["SPEECH_BASE_URL", "SPEECH_API_KEY", "SPEECH_MODEL"] as const).filter(isSet)
  if (values.SPEECH_ENGINE === undefined && speechOnly.length > 0) {
    errors.push(
      `SPEECH_ENGINE is missing: ${speechOnly.join(", ")} have no effect without it; set it to openai, or unset them`,
    )
  }
  const languageOnly: Array<SettingName> = (
    ["LANGUAGE_MODEL", "LANGUAGE_MODEL_API_KEY", "CAPTION_LANGUAGES"] as const
  ).filter(isSet)
  if (values.TRANSCRIPT_OUTLINE === "on") languageOnly.push("TRANSCRIPT_OUTLINE")
  if (!isSet("LANGUAGE_MODEL_BASE_URL") && languageOnly.length > 0) {
    errors.push(
      `LANGUAGE_MODEL_BASE_URL is missing: ${languageOnly.join(", ")} have no effect without it; set it, or unset them`,
    )
  }
  if (isSet("LANGUAGE_MODEL_BASE_URL") && !isSet("LANGUAGE_MODEL"))
    errors.push("LANGUAGE_MODEL is missing: LANGUAGE_MODEL_BASE_URL is set; name the chat model")
  for (const language of values.CAPTION_LANGUAGES ?? []) {
    if (canonicalTag(language) === undefined)
      errors.push(`CAPTION_LANGUAGES names ${language}, which is not a BCP 47 tag; use tags such as de or pt-BR`)
  }
  for (const name of values.SPEECH_FALLBACK ?? []) {
    const fallback = findEngine(name)
    if (fallback === undefined || !fallback.isLocal)
      errors.push(`SPEECH_FALLBACK names ${name}; use some of ${localEngineNames.join(", ")}`)
    else errors.push(...fallback.missingSettings(values, `SPEECH_FALLBACK names ${name}`))
  }
  if (values.MODERATION_API === "chat" && isSet("MODERATION_BASE_URL") && !isSet("MODERATION_MODEL")) {
    errors.push("MODERATION_MODEL is missing: MODERATION_API is chat; name the chat model")
  }
  return errors
}

const tokenErrors = (values: SettingValues): ReadonlyArray<string> => {
  const errors: Array<string> = []
  const keys = (["JWT_JWKS_URL", "JWT_PUBLIC_KEY", "JWT_SECRET"] as const).filter((name) => values[name] !== undefined)
  if (keys.length > 1)
    errors.push(`${keys.join(" and ")} are ${keys.length === 2 ? "both" : "all"} set; use one of them`)
  const sets = values.JWT_JWKS_URL?.length ?? 0
  const issuers = values.JWT_ISSUER?.length ?? 0
  if (sets > 1 && issuers !== sets) {
    errors.push(
      `JWT_ISSUER names ${issuers} issuers and JWT_JWKS_URL ${sets} key sets; name the issuer of each key set, in the same order`,
    )
  }
  return errors
}

const isNats = (address: string) => /^(nats|tls):/.test(address)

const busErrors = (values: SettingValues): ReadonlyArray<string> => {
  const errors: Array<string> = []
  const servers = values.MESSAGE_BUS_URL
  const natsOnly = (["NATS_CREDS", "NATS_NKEY_SEED", "NATS_CA", "NATS_INBOX_PREFIX"] as const).filter(
    (name) => values[name] !== undefined,
  )
  if (values.AMQP_CA !== undefined && servers?.every((address) => address.startsWith("amqps:")) !== true)
    errors.push("AMQP_CA is set, but MESSAGE_BUS_URL is not an amqps:// URL; unset it, or name a server with TLS")
  if (servers === undefined) {
    if (natsOnly.length > 0)
      errors.push(`MESSAGE_BUS_URL is missing: ${natsOnly.join(", ")} is set; set a nats:// URL, or unset it`)
    return errors
  }
  if (servers.some(isNats) && !servers.every(isNats))
    errors.push("MESSAGE_BUS_URL mixes NATS and RabbitMQ; use servers of one kind")
  if (!servers.every(isNats)) {
    if (values.STATE_URL === undefined)
      errors.push("STATE_URL is missing: RabbitMQ cannot store state; set a postgres:// URL")
    if (natsOnly.length > 0)
      errors.push(`${natsOnly.join(", ")} is set, but MESSAGE_BUS_URL is not a NATS server; unset it`)
  }
  if (values.NATS_CREDS !== undefined && values.NATS_NKEY_SEED !== undefined) {
    errors.push("NATS_NKEY_SEED and NATS_CREDS are both set; unset one of them")
  }
  return errors
}

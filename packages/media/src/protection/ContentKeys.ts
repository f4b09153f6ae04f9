/**
 * The content keys of each media: made here or by a key server, and stored encrypted (AES-256-GCM) until the media is
 * deleted. A media keeps its keys when it is processed again, so that segments of an earlier attempt can be reused; a
 * longer stream gets additional ones.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import { ConfigurationError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { Effect, Option, Redacted, Result, Schema } from "effect"
import type { ContentKey } from "./Cbcs.ts"
import * as KeyServer from "./KeyServer.ts"
import { DrmSystem, keyCount, type Protection, type ProtectionOptions, segmentsPerKey } from "./Protection.ts"
import * as Protector from "./Protector.ts"

const StoredKeys = Schema.Struct({
  keys: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      /** Base64url of nonce, encrypted key and tag. */
      sealed: Schema.String,
    }),
  ),
  systems: Schema.optionalKey(Schema.Array(DrmSystem)),
})
type StoredKeys = typeof StoredKeys.Type

export const mediaKeys: Collection.Descriptor<StoredKeys, typeof StoredKeys.Encoded> = {
  bucket: { name: "media_keys", maxAge: "never" },
  schema: StoredKeys,
}

type Secret = ProtectionOptions["secret"]

const nonceBytes = 12
const tagBytes = 16

/** Every secret that a person can remember becomes a key of 32 bytes. */
const sealingKey = (secret: Secret): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", Redacted.value(secret), "", "armoricore content keys", 32))

const seal = (secret: Secret, mediaId: string, { id, key }: ContentKey): StoredKeys["keys"][number] => {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv("aes-256-gcm", sealingKey(secret), nonce).setAAD(Buffer.from(`${mediaId}/${id}`))
  const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
  return { id, sealed: sealed.toString("base64url") }
}

const open = (
  secret: Secret,
  mediaId: string,
  { id, sealed }: StoredKeys["keys"][number],
): Effect.Effect<ContentKey, ConfigurationError> =>
  Effect.fromResult(
    Result.try({
      try: () => {
        const bytes = Buffer.from(sealed, "base64url")
        const decipher = createDecipheriv("aes-256-gcm", sealingKey(secret), bytes.subarray(0, nonceBytes))
          .setAAD(Buffer.from(`${mediaId}/${id}`))
          .setAuthTag(bytes.subarray(-tagBytes))
        const key = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
        return { id, key }
      },
      catch: (cause) =>
        new ConfigurationError({
          setting: "MEDIA_KEY_SECRET",
          message: `the content keys of media ${mediaId} were stored with another MEDIA_KEY_SECRET: set that one again`,
          cause,
        }),
    }),
  )

const makeKey = (): ContentKey => ({ id: randomBytes(16).toString("hex"), key: randomBytes(16) })

/** Reads the keys of a media for players, in the order of their numbers; empty if it has none. */
export const makeReader = Effect.fnUntraced(function* (secret: Secret) {
  const stored = yield* Collection.make(mediaKeys)
  return Effect.fn("ContentKeys.read")(function* (mediaId: string) {
    const document = Option.getOrUndefined(yield* stored.get(mediaId))?.value
    return yield* Effect.forEach(document?.keys ?? [], (key) => open(secret, mediaId, key))
  })
})

/** `options` are undefined if new streams are not protected. */
export const make = Effect.fnUntraced(function* (options: ProtectionOptions | undefined) {
  const stored = yield* Collection.make(mediaKeys)

  /** Keys that a concurrent worker has stored meanwhile take the place of these. */
  const addKeys = Effect.fnUntraced(function* (
    { secret, ...request }: ProtectionOptions,
    known: StoredKeys | undefined,
    upload: { readonly media_id: string; readonly user_id: string },
    count: number,
  ) {
    const first = known?.keys.length ?? 0
    const made =
      request.keyServer === undefined
        ? { keys: Array.from({ length: count - first }, makeKey), systems: undefined }
        : yield* KeyServer.ask(
            request.keyServer,
            {
              media_id: upload.media_id,
              user_id: upload.user_id,
              scheme: request.scheme,
              first,
              count: count - first,
            },
            known?.keys.map(({ id }) => id),
          )
    const systems = made.systems ?? known?.systems
    const next: StoredKeys = {
      keys: [...(known?.keys ?? []), ...made.keys.map((key) => seal(secret, upload.media_id, key))],
      ...(systems === undefined ? {} : { systems }),
    }
    return yield* stored.modifyOrRetry(upload.media_id, (current) => {
      const value = Option.getOrUndefined(current)?.value
      return Effect.succeed(
        value !== undefined && value.keys.length >= count
          ? ([value, Option.none()] as const)
          : ([next, Option.some(next)] as const),
      )
    })
  })

  return {
    /** The protection of a new stream, whose keys are in the state afterwards. Undefined: it is not protected. */
    prepare: Effect.fn("ContentKeys.prepare")(function* (
      upload: { readonly media_id: string; readonly user_id: string },
      seconds: number,
    ) {
      if (options === undefined) return undefined
      const count = keyCount(options, seconds)
      const known = Option.getOrUndefined(yield* stored.get(upload.media_id))?.value
      const { keys, systems } =
        known !== undefined && known.keys.length >= count ? known : yield* addKeys(options, known, upload, count)
      const [firstId = "", ...otherIds] = keys.slice(0, count).map(({ id }) => id)
      const perKey = segmentsPerKey(options)
      return {
        scheme: options.scheme,
        keyIds: [firstId, ...otherIds],
        ...(perKey === undefined ? {} : { segmentsPerKey: perKey }),
        ...(systems === undefined ? {} : { systems }),
      } satisfies Protection
    }),
    /** Undefined: the stream of this plan is not protected. */
    protector: Effect.fn("ContentKeys.protector")(function* (mediaId: string, protection: Protection | undefined) {
      if (protection === undefined) return undefined
      const document = Option.getOrUndefined(yield* stored.get(mediaId))?.value
      const missing = new ConfigurationError({
        setting: "MEDIA_KEY_SECRET",
        message: `the content keys of media ${mediaId} are not in the state, or MEDIA_KEY_SECRET is not set in this process`,
      })
      if (options === undefined) return yield* missing
      const keys = yield* Effect.forEach(protection.keyIds, (id) => {
        const key = document?.keys.find((one) => one.id === id)
        return key === undefined ? Effect.fail(missing) : open(options.secret, mediaId, key)
      })
      const [first, ...others] = keys
      return first === undefined ? undefined : Protector.make(protection, [first, ...others])
    }),
  }
})
export type ContentKeys = Effect.Success<ReturnType<typeof make>>

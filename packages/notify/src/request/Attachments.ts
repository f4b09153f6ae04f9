/** Attachments of e-mail: objects of the object storage, read when the mail is sent. */
import * as ObjectRef from "@armoricore/domain/ObjectRef"
import { ConfigurationError, PermanentError, type TransientError } from "@armoricore/domain/Errors"
import type { Attachment } from "@armoricore/domain/NotificationState"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Context, Effect, Layer, Stream } from "effect"

export interface LoadedAttachment {
  readonly filename: string
  readonly contentType: string
  readonly content: Uint8Array
}

export interface Options {
  /** Which buckets `s3://bucket/key` may name. */
  readonly buckets: ReadonlyArray<string>
  /** Bytes of all attachments of a mail; what every provider takes is 10 MB. */
  readonly maxBytes?: number
}

export class Attachments extends Context.Service<
  Attachments,
  {
    /** `PermanentError` codes `attachment_bucket`, `attachment_missing`, `attachments_too_large`. */
    readonly load: (
      attachments: ReadonlyArray<Attachment>,
    ) => Effect.Effect<ReadonlyArray<LoadedAttachment>, PermanentError | TransientError | ConfigurationError>
  }
>()("@armoricore/notify/Attachments") {
  static readonly layer = ({ buckets, maxBytes = 10_000_000 }: Options) =>
    Layer.effect(
      Attachments,
      Effect.map(ObjectStorage, (storage) => {
        const load = Effect.fnUntraced(function* (attachment: Attachment, remainingBytes: number) {
          const { bucket, key } = ObjectRef.fromUrl(attachment.file_path)
          if (!buckets.includes(bucket)) {
            return yield* reject("attachment_bucket", `${attachment.file_path} lies in a bucket that mail may not read`)
          }
          const { body, info } = yield* storage
            .get({ bucket, key })
            .pipe(
              Effect.catchTag("NotFound", () =>
                reject("attachment_missing", `${attachment.file_path} is not there; upload it before it is announced`),
              ),
            )
          if (info.size > remainingBytes) {
            // Nobody reads the rest: the connection that it may hold ends with the first piece.
            yield* Stream.runHead(body)
            return yield* reject("attachments_too_large", `the attachments have more than ${maxBytes} bytes together`)
          }
          const content = Buffer.concat(yield* Stream.runCollect(body))
          return {
            filename: safeName(attachment.filename ?? key.slice(key.lastIndexOf("/") + 1)),
            contentType: safeType(attachment.content_type ?? info.contentType),
            content,
          }
        })
        return {
          load: Effect.fnUntraced(function* (attachments) {
            if (attachments.length > maxAttachments)
              return yield* reject("attachments_too_large", `a mail has at most ${maxAttachments} attachments`)
            let remainingBytes = maxBytes
            const loaded: Array<LoadedAttachment> = []
            for (const attachment of attachments) {
              const one = yield* load(attachment, remainingBytes)
              remainingBytes -= one.content.byteLength
              loaded.push(one)
            }
            return loaded
          }),
        }
      }),
    )
}

/** Each is a read of the object storage. */
const maxAttachments = 100

/** A name becomes a header's parameter: no control characters, no path. */
const safeName = (name: string): string => name.replace(/[\p{Cc}/\\"]+/gu, "_").slice(0, 200) || "attachment"

/** A type becomes a header: what is none would end the mail as `refused`, or the header. */
const safeType = (type: string): string =>
  /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:; ?[\w!#$&^.+-]{1,64}=[\w!#$&^.+-]{1,64})*$/.test(type)
    ? type
    : "application/octet-stream"

const reject = (code: string, message: string) => Effect.fail(new PermanentError({ code, message }))

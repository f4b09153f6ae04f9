/** Attachments of e-mails. They are objects in the object storage, and are read when the e-mail is sent. */
import * as ObjectRef from "@armoricore/domain/ObjectRef";
import { ConfigurationError, PermanentError } from "@armoricore/domain/Errors";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Context, Effect, Layer, Stream } from "effect";
export class Attachments extends Context.Service()("@armoricore/notify/Attachments") {
    static layer = ({ buckets, maxBytes = 10_000_000 }) => Layer.effect(Attachments, Effect.map(ObjectStorage, (storage) => {
        const load = Effect.fnUntraced(function* (attachment, remainingBytes) {
            const { bucket, key } = ObjectRef.fromUrl(attachment.file_path);
            if (!buckets.includes(bucket)) {
                return yield* reject("attachment_bucket", `${attachment.file_path} is in a bucket that e-mails may not read; add the bucket to the allowed buckets`);
            }
            const { body, info } = yield* storage
                .get({ bucket, key })
                .pipe(Effect.catchTag("NotFound", () => reject("attachment_missing", `${attachment.file_path} does not exist; upload it before you publish the notification`)));
            if (info.size > remainingBytes) {
                // The rest of the body is not needed. Reading the first chunk releases the connection that the stream may
                // hold.
                yield* Stream.runHead(body);
                return yield* reject("attachments_too_large", `the attachments together exceed ${maxBytes} bytes; send links to the files instead`);
            }
            const content = Buffer.concat(yield* Stream.runCollect(body));
            return {
                filename: safeName(attachment.filename ?? key.slice(key.lastIndexOf("/") + 1)),
                contentType: safeType(attachment.content_type ?? info.contentType),
                content,
                ...(attachment.content_id === undefined ? {} : { contentId: attachment.content_id }),
            };
        });
        return {
            load: Effect.fnUntraced(function* (attachments) {
                if (attachments.length > maxAttachments)
                    return yield* reject("attachments_too_large", `an e-mail may have at most ${maxAttachments} attachments`);
                let remainingBytes = maxBytes;
                const loaded = [];
                for (const attachment of attachments) {
                    const one = yield* load(attachment, remainingBytes);
                    remainingBytes -= one.content.byteLength;
                    loaded.push(one);
                }
                return loaded;
            }),
        };
    }));
}
/** Each attachment costs a read of the object storage. */
const maxAttachments = 100;
/** The name becomes a header parameter, so it may contain no control characters and no path. */
const safeName = (name) => name.replace(/[\p{Cc}/\\"]+/gu, "_").slice(0, 200) || "attachment";
/** The type becomes a header. An invalid one would damage the header, or the provider would refuse the e-mail. */
const safeType = (type) => /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:; ?[\w!#$&^.+-]{1,64}=[\w!#$&^.+-]{1,64})*$/.test(type)
    ? type
    : "application/octet-stream";
const reject = (code, message) => Effect.fail(new PermanentError({ code, message }));

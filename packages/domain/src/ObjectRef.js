/** The place of an object in object storage, and the `s3://bucket/key` URL that events and documents name it by. */
import { encodeId } from "./EncodedId.ts";
/**
 * Parses `s3://bucket/key`. The schema `ObjectPath` has checked the form before; any other text yields an empty bucket,
 * which no list of allowed buckets contains.
 */
export const fromUrl = (url) => {
    const [, bucket = "", key = ""] = /^s3:\/\/([^/]*)\/?(.*)$/su.exec(url) ?? [];
    return { bucket, key };
};
export const toUrl = ({ bucket, key }) => `s3://${bucket}/${key}`;
/** The folder of the files that a user uploads for one media. */
export const uploadPrefix = (userId, mediaId) => `uploads/${encodeId(userId)}/${mediaId}/`;

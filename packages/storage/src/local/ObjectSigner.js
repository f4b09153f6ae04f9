/**
 * Signs and verifies the presigned URLs of adapters without a server (memory, local folder): `<public
 * url>/objects/<bucket>/<key>?expires=…&signature=…`, for PUT with `type` and `size`. `SignedUrlRoutes` serves them.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Clock, Context, Duration, Effect, Layer, Redacted } from "effect";
import { PublicUrl } from "../PublicUrl.ts";
export class ObjectSigner extends Context.Service()("@armoricore/storage/ObjectSigner") {
    /** `key` is the HMAC secret: it grants read and write access to every object. */
    static layer = (options) => Layer.effect(ObjectSigner, Effect.map(PublicUrl, (publicUrl) => ({
        sign: Effect.fn("ObjectSigner.sign")(function* (claim, expiresIn) {
            const now = yield* Clock.currentTimeMillis;
            const expires = Math.ceil((now + Duration.toMillis(expiresIn)) / 1000);
            const full = { ...claim, expires };
            const query = new URLSearchParams({ expires: String(expires) });
            if (full.contentType !== undefined)
                query.set("type", full.contentType);
            if (full.size !== undefined)
                query.set("size", String(full.size));
            query.set("signature", macOf(options.key, full).toString("base64url"));
            const path = [claim.bucket, ...claim.key.split("/")].map(encodeURIComponent).join("/");
            return {
                url: `${yield* publicUrl.get}/objects/${path}?${query}`,
                method: claim.method,
                headers: claim.contentType === undefined ? {} : { "content-type": claim.contentType },
                expiresAt: expires * 1000,
            };
        }),
        verify: (method, path, query) => Effect.gen(function* () {
            const claim = parse(method, path, query);
            if (claim === undefined)
                return yield* Effect.fail("malformed");
            const given = Buffer.from(query.get("signature") ?? "", "base64url");
            const right = macOf(options.key, claim);
            if (given.length !== right.length || !timingSafeEqual(given, right)) {
                return yield* Effect.fail("bad_signature");
            }
            if ((yield* Clock.currentTimeMillis) >= claim.expires * 1000)
                return yield* Effect.fail("expired");
            return claim;
        }),
    })));
}
const macOf = (key, grant) => createHmac("sha256", Redacted.value(key))
    // A JSON array, so that no field can be shifted into its neighbour.
    .update(JSON.stringify([
    grant.method,
    grant.bucket,
    grant.key,
    grant.expires,
    grant.contentType ?? null,
    grant.size ?? null,
]))
    .digest();
const parse = (method, path, query) => {
    const parts = path.split("/").map(decode);
    const [bucket, ...rest] = parts;
    const expires = query.get("expires") ?? "";
    const size = query.get("size");
    const contentType = query.get("type");
    if (bucket === undefined || rest.length === 0 || parts.includes(undefined))
        return undefined;
    if (!/^[0-9]{1,12}$/.test(expires) || (size !== null && !/^[0-9]{1,15}$/.test(size)))
        return undefined;
    return {
        method,
        bucket,
        key: rest.join("/"),
        expires: Number(expires),
        ...(contentType === null ? {} : { contentType }),
        ...(size === null ? {} : { size: Number(size) }),
    };
};
const decode = (part) => {
    try {
        return decodeURIComponent(part);
    }
    catch {
        return undefined;
    }
};

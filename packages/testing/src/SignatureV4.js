/**
 * Checks AWS Signature Version 4 of a request, in its headers or its query (presigned), by AWS's description. The S3
 * server of the tests does not look at signatures itself, and then no test could see a wrong one.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
/** Undefined where the request is signed rightly, else the S3 error code. */
export const verify = (request, secretKey, now) => {
    const [path = "", search = ""] = (request.url ?? "").split(/\?(.*)/s);
    const query = new URLSearchParams(search);
    const presigned = query.has("X-Amz-Signature");
    const authorization = request.headers.authorization ?? "";
    const field = (name) => (presigned ? query.get(`X-Amz-${name}`) : new RegExp(`${name}=([^,\\s]+)`).exec(authorization)?.[1]) ?? "";
    const date = presigned ? field("Date") : String(request.headers["x-amz-date"] ?? "");
    const signedAt = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
    const [, day = "", region = "", service = "", terminator = ""] = field("Credential").split("/");
    if (Number.isNaN(signedAt) || terminator !== "aws4_request")
        return "AccessDenied";
    if (presigned && now >= signedAt + Number(field("Expires")) * 1000)
        return "AccessDenied";
    if (!presigned && Math.abs(now - signedAt) > 900_000)
        return "RequestTimeTooSkewed";
    const pairs = search
        .split("&")
        .filter((pair) => pair !== "" && !pair.startsWith("X-Amz-Signature="))
        .map((pair) => (pair.includes("=") ? pair : `${pair}=`));
    const names = field("SignedHeaders").split(";");
    const payload = presigned ? "UNSIGNED-PAYLOAD" : String(request.headers["x-amz-content-sha256"] ?? "");
    const canonical = [
        request.method ?? "",
        path,
        pairs.sort().join("&"),
        ...names.map((name) => `${name}:${String(request.headers[name] ?? "").trim()}`),
        "",
        names.join(";"),
        payload,
    ].join("\n");
    const hashed = createHash("sha256").update(canonical).digest("hex");
    const text = ["AWS4-HMAC-SHA256", date, `${day}/${region}/${service}/${terminator}`, hashed].join("\n");
    const key = [day, region, service, terminator].reduce((previous, part) => createHmac("sha256", previous).update(part).digest(), Buffer.from(`AWS4${secretKey}`));
    const right = createHmac("sha256", key).update(text).digest();
    const given = Buffer.from(field("Signature"), "hex");
    return given.length === right.length && timingSafeEqual(given, right) ? undefined : "SignatureDoesNotMatch";
};

/** Presigned requests of adapters whose objects this program serves: the local folder and memory. */
import { Effect } from "effect";
import { check } from "../ObjectKey.ts";
export const presigning = (signer) => ({
    presignGet: (ref, { expiresIn }) => Effect.andThen(check(ref), signer.sign({ method: "GET", bucket: ref.bucket, key: ref.key }, expiresIn)),
    presignPut: (ref, { expiresIn, contentType, size }) => Effect.andThen(check(ref), signer.sign({ method: "PUT", bucket: ref.bucket, key: ref.key, contentType, ...(size === undefined ? {} : { size }) }, expiresIn)),
});

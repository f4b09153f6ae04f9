/** The behaviour of every adapter of the object storage port. The bucket `media` exists from the start, `absent` does not. */
import { layer } from "@effect/vitest";
import { keyBehaviour } from "./behaviour/Keys.ts";
import { objectBehaviour } from "./behaviour/Objects.ts";
import { signedUrlBehaviour } from "./behaviour/SignedUrls.ts";
import { writingBehaviour } from "./behaviour/Writing.ts";
export const behaviourSuite = (name, storage, traits) => layer(storage, { excludeTestServices: true })(name, (it) => {
    objectBehaviour(it);
    keyBehaviour(it, traits);
    writingBehaviour(it, traits);
    signedUrlBehaviour(it, traits);
});

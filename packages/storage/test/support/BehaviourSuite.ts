/** The behaviour of every adapter of the object storage port. The bucket `media` exists from the start, `absent` does not. */
import { layer } from "@effect/vitest"
import type { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import type { Layer } from "effect"
import type { AdapterTraits } from "./behaviour/Harness.ts"
import { keyBehaviour } from "./behaviour/Keys.ts"
import { objectBehaviour } from "./behaviour/Objects.ts"
import { signedUrlBehaviour } from "./behaviour/SignedUrls.ts"
import { writingBehaviour } from "./behaviour/Writing.ts"

export const behaviourSuite = (name: string, storage: Layer.Layer<ObjectStorage, unknown>, traits: AdapterTraits) =>
  layer(storage, { excludeTestServices: true })(name, (it) => {
    objectBehaviour(it)
    keyBehaviour(it, traits)
    writingBehaviour(it, traits)
    signedUrlBehaviour(it, traits)
  })

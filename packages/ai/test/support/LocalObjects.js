/** Objects in a folder, which several processes of a test share. */
import * as LocalStorage from "@armoricore/storage/local/LocalStorage";
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Layer, Redacted } from "effect";
export const localObjects = (folder) => LocalStorage.layer({ folder }).pipe(Layer.provide(ObjectSigner.layer({ key: Redacted.make("a key of this test") })), Layer.provide(PublicUrl.layerFixed("http://127.0.0.1:4000")));

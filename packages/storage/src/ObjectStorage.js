import { Context } from "effect";
export class ObjectStorage extends Context.Service()("@armoricore/storage/ObjectStorage") {
}

/**
 * The URL under which clients reach this process, for URLs that it signs. The port may be known only after the listener
 * is bound: the listener sets it, and earlier readers wait.
 */
import { Context, Deferred, Effect, Layer } from "effect";
export class PublicUrl extends Context.Service()("@armoricore/storage/PublicUrl") {
    /** Known after the first `set`. */
    static layer = Layer.effect(PublicUrl, Effect.map(Deferred.make(), (known) => ({
        get: Deferred.await(known),
        set: (url) => Effect.asVoid(Deferred.succeed(known, url.replace(/\/+$/, ""))),
    })));
    /** Known from the start. */
    static layerFixed = (url) => Layer.succeed(PublicUrl, { get: Effect.succeed(url.replace(/\/+$/, "")), set: () => Effect.void });
}

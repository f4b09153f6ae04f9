/**
 * The URL under which clients reach this process, for URLs that it signs. The port may be known only after the listener
 * is bound: the listener sets it, and earlier readers wait.
 */
import { Context, Deferred, Effect, Layer } from "effect"

export class PublicUrl extends Context.Service<
  PublicUrl,
  {
    /** Without a trailing slash, for example `http://127.0.0.1:4000`; waits until it is known. */
    readonly get: Effect.Effect<string>
    /** Only the first call has an effect. */
    readonly set: (url: string) => Effect.Effect<void>
  }
>()("@armoricore/storage/PublicUrl") {
  /** Known after the first `set`. */
  static readonly layer: Layer.Layer<PublicUrl> = Layer.effect(
    PublicUrl,
    Effect.map(Deferred.make<string>(), (known) => ({
      get: Deferred.await(known),
      set: (url: string) => Effect.asVoid(Deferred.succeed(known, url.replace(/\/+$/, ""))),
    })),
  )

  /** Known from the start. */
  static readonly layerFixed = (url: string): Layer.Layer<PublicUrl> =>
    Layer.succeed(PublicUrl, { get: Effect.succeed(url.replace(/\/+$/, "")), set: () => Effect.void })
}

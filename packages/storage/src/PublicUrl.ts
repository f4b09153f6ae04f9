/**
 * The address under which others reach this process, for the URLs that we sign. The port may be known only once the
 * listener listens, so whoever listens sets it, and whoever needs it earlier waits.
 */
import { Context, Deferred, Effect, Layer } from "effect"

export class PublicUrl extends Context.Service<
  PublicUrl,
  {
    /** Without a slash at its end, for example `http://127.0.0.1:4000`; waits until it is known. */
    readonly get: Effect.Effect<string>
    /** The first one counts. */
    readonly set: (url: string) => Effect.Effect<void>
  }
>()("@armoricore/storage/PublicUrl") {
  /** Known once somebody sets it. */
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

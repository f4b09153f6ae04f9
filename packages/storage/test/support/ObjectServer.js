/** A listener on a free port that serves a storage's presigned addresses and its playback, as the program does. */
import { createServer } from "node:http";
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import * as SignedUrlRoutes from "@armoricore/storage/local/SignedUrlRoutes";
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner";
import * as PlaybackProxy from "@armoricore/storage/PlaybackProxy";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { TransientError } from "@armoricore/domain/Errors";
import { Effect, Layer, Redacted } from "effect";
import { HttpRouter, HttpServer } from "effect/http";
const key = Redacted.make("a key for tests");
/** The keys of the media `abc`; those of `down` cannot be read. */
export const contentKeys = [0, 1].map((number) => ({ id: `${number}`.repeat(32), key: Buffer.alloc(16, number + 1) }));
const keysOf = (mediaId) => mediaId === "down"
    ? Effect.fail(new TransientError({ dependency: "state", code: "unavailable", message: "no state" }))
    : Effect.succeed(mediaId === "abc" ? contentKeys : []);
const setPublicUrl = Layer.effectDiscard(Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer;
    const port = "port" in address ? address.port : 0;
    yield* (yield* PublicUrl).set(`http://127.0.0.1:${port}`);
}));
export const objectServer = (storage) => Layer.mergeAll(HttpRouter.serve(Layer.mergeAll(SignedUrlRoutes.routes(), PlaybackProxy.routes({ key, keysOf })), {
    disableLogger: true,
    disableListenLog: true,
}), setPublicUrl).pipe(Layer.provideMerge(storage), Layer.provideMerge(Layer.mergeAll(ObjectSigner.layer({ key }), PlaybackProxy.layerProxy({ key }))), Layer.provideMerge(PublicUrl.layer), Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })), Layer.orDie);

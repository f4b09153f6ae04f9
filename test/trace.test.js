/** One request of a backend, followed from HTTP through every hop of the bus to the frame in a browser. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { ApiRoutes, UploadHandlers } from "@armoricore/api";
import { EventBus } from "@armoricore/bus/EventBus";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { emit, enqueue, on, onWork, Worker } from "@armoricore/worker";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { assert, it } from "@effect/vitest";
import { Context, Effect, Layer, Redacted, Schema } from "effect";
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http";
import { joined, start } from "../packages/realtime/test/support/TestServer.ts";
const tokenKey = Redacted.make("the key of upload tokens of this test");
const traceId = "0af7651916cd43dd8448eb211c80319c";
it.live("request_id and trace pass from HTTP through events and work to the WebSocket frame", () => Effect.gen(function* () {
    const server = yield* start();
    const bus = Context.get(server.services, EventBus);
    const events = [];
    yield* bus.subscribe("all-events", ({ body }) => events.push(JSON.parse(new TextDecoder().decode(body))));
    const Step = Schema.Struct({ media_id: Schema.String });
    yield* Worker.run("media", [
        on("media.uploaded", {
            handle: ({ payload }) => Effect.succeed([enqueue("step", "1", { media_id: payload.media_id })]),
            onFailure: () => [],
        }),
        onWork("step", Step, {
            handle: ({ media_id }) => Effect.succeed([emit("media.playable", { media_id, user_id: "u1", playback_urls: { hls: "h", mp4: {} } })]),
            onFailure: () => [],
        }),
    ]).pipe(Effect.provide(Ledger.layer), Effect.provideContext(server.services));
    const client = yield* joined(server, "media:m1");
    const token = yield* server.token("php", { roles: ["publisher"] });
    const api = HttpRouter.serve(ApiRoutes.layer({
        events: {
            sources: new Map([["php-backend", new Set(["media.uploaded"])]]),
            signingKeys: new Map(),
            uploadTokens: { key: tokenKey, required: false },
        },
        uploads: { bucket: "media", tokenKey, ...UploadHandlers.defaults },
        transcripts: { policy: "public" },
    }), { disableLogger: true, disableListenLog: true }).pipe(Layer.provide(MemoryStorage.layer), Layer.provide(Layer.succeedContext(server.services)), Layer.provideMerge(NodeHttpServer.layerTest));
    yield* HttpClientRequest.post("/v1/events").pipe(HttpClientRequest.bearerToken(token), HttpClientRequest.bodyText(JSON.stringify({
        event_type: "media.uploaded",
        event_id: crypto.randomUUID(),
        timestamp: "2026-01-31T12:00:00+01:00",
        source: "php-backend",
        request_id: "request-7",
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
        payload: { media_id: "m1", user_id: "u1", file_path: "s3://media/a.mp4" },
    }), "application/json"), HttpClient.execute, Effect.tap(({ status }) => Effect.sync(() => assert.strictEqual(status, 202))), Effect.provide(api));
    const frame = yield* client.next;
    assert.strictEqual(frame[3], "media_playable");
    assert.strictEqual(frame[4]["request_id"], "request-7");
    assert.strictEqual(String(frame[4]["traceparent"]).split("-")[1], traceId);
    const result = events.find((event) => event["event_type"] === "media.playable");
    assert.strictEqual(result?.["request_id"], "request-7");
    const [version, trace, span] = String(result?.["traceparent"]).split("-");
    assert.deepStrictEqual([version, trace], ["00", traceId]);
    assert.notStrictEqual(span, "b7ad6b7169203331");
}));

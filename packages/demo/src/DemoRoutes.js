/**
 * HTTP routes of the demo: the page's files, hls.js and the bundle of the client from their packages, the sample clip, a
 * session for each visitor, and the endpoints that stand in for a PHP backend.
 */
import { securityHeaders } from "@armoricore/domain/PageSecurity";
import { toUrl, uploadPrefix } from "@armoricore/domain/ObjectRef";
import { authenticate, rejectGuest } from "@armoricore/api/Authentication";
import * as RequestBody from "@armoricore/api/RequestBody";
import { catchProblems, problem } from "@armoricore/api/Problem";
import { optionalNullable } from "@armoricore/domain/JsonCodecs";
import { Tokens } from "@armoricore/auth/Tokens";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Duration, Effect, FileSystem, Layer, Ref, Schema } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as Backend from "./Backend.ts";
export const demoUserId = "demo";
const webFolder = new URL("../web/", import.meta.url);
/** URL path → file. An explicit list, so no other file of the disk can be requested. */
const files = {
    "/": new URL("index.html", webFolder),
    "/demo/vendor/hls.mjs": new URL("hls.min.mjs", import.meta.resolve("hls.js")),
    "/demo/vendor/armoricore-client.js": new URL("bundle/armoricore-client.js", import.meta.resolve("@armoricore/client/package.json")),
    ...Object.fromEntries([
        "app.js",
        "bell.js",
        "chat.js",
        "comments.js",
        "entries.js",
        "log.js",
        "messages.js",
        "notices.js",
        "player.js",
        "session.js",
        "storyboard.js",
        "transcript.js",
        "upload.js",
        "style.css",
        "mark.svg",
    ].map((name) => [`/demo/${name}`, new URL(name, webFolder)])),
};
const contentTypes = {
    html: "text/html; charset=utf-8",
    js: "text/javascript; charset=utf-8",
    mjs: "text/javascript; charset=utf-8",
    css: "text/css; charset=utf-8",
    svg: "image/svg+xml",
    mp4: "video/mp4",
};
/** The page's import map is its only inline script; its hash allows exactly this text. */
const securityHeadersOf = (page) => {
    const [, importMap = ""] = /<script type="importmap">([\s\S]*?)<\/script>/.exec(new TextDecoder().decode(page)) ?? [];
    return securityHeaders({
        "script-src": `'self' 'sha256-${createHash("sha256").update(importMap).digest("base64")}'`,
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob: http: https:",
        "media-src": "'self' data: blob: http: https:",
        // Object storage and CDN have other origins.
        "connect-src": "'self' ws: wss: http: https:",
        "worker-src": "'self' blob:",
    });
};
const serveFile = Effect.fnUntraced(function* (path) {
    const fs = yield* FileSystem.FileSystem;
    const contentType = contentTypes[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const bytes = yield* Effect.option(fs.readFile(path));
    if (bytes._tag === "None")
        return yield* problem(404, "not_found", "this file no longer exists");
    return HttpServerResponse.uint8Array(bytes.value, {
        contentType,
        headers: {
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            ...(path.endsWith(".html") ? securityHeadersOf(bytes.value) : {}),
        },
    });
});
/** Each visitor gets a random user id. A returning visitor sends it again; ids of another form are rejected. */
const birdNames = ["gannet", "puffin", "curlew", "fulmar", "plover", "avocet", "osprey", "dunlin"];
const SessionRequest = Schema.Struct({
    user_id: optionalNullable(Schema.String.check(Schema.isPattern(new RegExp(`^(${birdNames.join("|")})-[0-9a-f]{4}$`)))),
});
const newVisitorId = () => `${birdNames[Math.floor(Math.random() * birdNames.length)]}-${crypto.randomUUID().slice(0, 4)}`;
const NotifyRequest = Schema.Struct({ notification_type: Schema.Literals(["push", "email", "in_app"]) });
const UploadedRequest = Schema.Struct({
    media_id: Schema.String,
    file_path: Schema.String,
    upload_token: Schema.String,
});
export const layer = ({ bucket, latestMediaId, requestTranscription, sample }) => Layer.mergeAll(HttpRouter.addAll(Object.entries(files).map(([path, url]) => HttpRouter.route("GET", `/${path.slice(1)}`, catchProblems(serveFile(fileURLToPath(url)))))), HttpRouter.add("GET", "/demo/sample.mp4", catchProblems(serveFile(sample))), HttpRouter.add("POST", "/demo/session", catchProblems(Effect.gen(function* () {
    const { user_id } = yield* RequestBody.json(yield* HttpServerRequest.HttpServerRequest, SessionRequest, 1024);
    const visitor = user_id ?? newVisitorId();
    const token = yield* (yield* Tokens).sign({ userId: visitor, ttl: Duration.hours(1) });
    const media = yield* Ref.get(latestMediaId);
    return HttpServerResponse.jsonUnsafe({ token, user_id: visitor, media_id: media ?? null });
}))), HttpRouter.add("POST", "/demo/uploaded", Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => catchProblems(handleUploaded(request, bucket, requestTranscription)))), HttpRouter.add("POST", "/demo/notify", Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => catchProblems(handleNotify(request)))));
/** Publishes a notification for the visitor, as a backend would. */
const handleNotify = Effect.fnUntraced(function* (request) {
    const identity = yield* authenticate(request);
    yield* rejectGuest(identity);
    const { notification_type } = yield* RequestBody.json(request, NotifyRequest, 1024);
    const url = yield* (yield* PublicUrl).get;
    const envelope = yield* Backend.requestNotification(url, identity.userId, notification_type).pipe(Effect.catchTag("DemoFailed", ({ message }) => Effect.fail(problem(503, "not_published", message))));
    return HttpServerResponse.jsonUnsafe(envelope, { status: 202 });
});
/** Publishes `media.uploaded`. Like a real backend it passes on the token, which proves that the file belongs to the user. */
const handleUploaded = Effect.fnUntraced(function* (request, bucket, requestTranscription) {
    const identity = yield* authenticate(request);
    yield* rejectGuest(identity);
    const { file_path, media_id, upload_token } = yield* RequestBody.json(request, UploadedRequest, 16_384);
    if (!file_path.startsWith(toUrl({ bucket, key: uploadPrefix(identity.userId, media_id) }))) {
        return yield* problem(403, "forbidden", "file_path is not an upload of this user", "file_path");
    }
    const url = yield* (yield* PublicUrl).get;
    const uploaded = { media_id, user_id: identity.userId, file_path, upload_token };
    const envelope = yield* Backend.publishUploaded(url, uploaded, { requestTranscription }).pipe(Effect.catchTag("DemoFailed", ({ message }) => Effect.fail(problem(503, "not_published", message))));
    return HttpServerResponse.jsonUnsafe(envelope, { status: 202 });
});

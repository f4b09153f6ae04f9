/**
 * The demo page and what only the demo serves: the page's files, its two libraries straight from their npm packages, a
 * guest's session, the sample, and the backend's ear for finished uploads.
 */
import { authenticate, rejectGuest } from "@armoricore/api/Authentication"
import * as RequestBody from "@armoricore/api/RequestBody"
import { catchProblems, problem } from "@armoricore/api/Problem"
import { optionalNullable } from "@armoricore/domain/JsonCodecs"
import { Tokens } from "@armoricore/auth/Tokens"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { Duration, Effect, FileSystem, Layer, Ref, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { fileURLToPath } from "node:url"
import { Settings } from "@armoricore/armoricore/settings/Settings"
import * as Backend from "./Backend.ts"

export const demoUserId = "demo"

const folder = new URL("../../armoricore/demo/", import.meta.url)

/** URL path → file. Named one by one: nothing else of the disk can be asked for. */
const files: Readonly<Record<string, URL>> = {
  "/": new URL("index.html", folder),
  "/demo/vendor/hls.mjs": new URL("hls.mjs", import.meta.resolve("hls.js")),
  "/demo/vendor/phoenix.mjs": new URL(import.meta.resolve("phoenix")),
  ...Object.fromEntries(
    [
      "app.js",
      "chat.js",
      "comments.js",
      "entries.js",
      "log.js",
      "notices.js",
      "player.js",
      "session.js",
      "storyboard.js",
      "transcript.js",
      "upload.js",
      "style.css",
      "mark.svg",
    ].map((name) => [`/demo/${name}`, new URL(name, folder)]),
  ),
}

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  mp4: "video/mp4",
}

const serveFile = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const contentType = contentTypes[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream"
  const bytes = yield* Effect.option(fs.readFile(path))
  if (bytes._tag === "None") return yield* problem(404, "not_found", "this file is not there any more")
  return HttpServerResponse.uint8Array(bytes.value, {
    contentType,
    headers: { "cache-control": "no-cache", "x-content-type-options": "nosniff" },
  })
})

/** Each visitor is a user with a name of its own: whoever comes back brings it along, and nobody else's can be taken. */
const birdNames = ["gannet", "puffin", "curlew", "fulmar", "plover", "avocet", "osprey", "dunlin"]
const SessionRequest = Schema.Struct({
  user_id: optionalNullable(
    Schema.String.check(Schema.isPattern(new RegExp(`^(${birdNames.join("|")})-[0-9a-f]{4}$`))),
  ),
})
const newVisitorId = () =>
  `${birdNames[Math.floor(Math.random() * birdNames.length)]}-${crypto.randomUUID().slice(0, 4)}`

const NotifyRequest = Schema.Struct({ notification_type: Schema.Literals(["push", "email"]) })
const UploadedRequest = Schema.Struct({ media_id: Schema.String, file_path: Schema.String })

export interface DemoRoutesOptions {
  /** The file behind "Use the sample". */
  readonly sample: string
  /** What the page shows when it is opened: the media that the demo itself uploaded, once there is one. */
  readonly latest: Ref.Ref<string | undefined>
}

export const layer = ({ latest, sample }: DemoRoutesOptions) =>
  Layer.mergeAll(
    HttpRouter.addAll(
      Object.entries(files).map(([path, url]) =>
        HttpRouter.route("GET", `/${path.slice(1)}`, catchProblems(serveFile(fileURLToPath(url)))),
      ),
    ),
    HttpRouter.add("GET", "/demo/sample.mp4", catchProblems(serveFile(sample))),
    HttpRouter.add(
      "POST",
      "/demo/session",
      catchProblems(
        Effect.gen(function* () {
          const { user_id } = yield* RequestBody.json(yield* HttpServerRequest.HttpServerRequest, SessionRequest, 1024)
          const visitor = user_id ?? newVisitorId()
          const token = yield* (yield* Tokens).sign({ userId: visitor, ttl: Duration.hours(1) })
          const media = yield* Ref.get(latest)
          return HttpServerResponse.jsonUnsafe({ token, user_id: visitor, media_id: media ?? null })
        }),
      ),
    ),
    HttpRouter.add(
      "POST",
      "/demo/uploaded",
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => catchProblems(handleUploaded(request))),
    ),
    HttpRouter.add(
      "POST",
      "/demo/notify",
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => catchProblems(handleNotify(request))),
    ),
  )

/** A notification for the visitor who asks, as a backend would publish it. */
const handleNotify = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const identity = yield* authenticate(request)
  yield* rejectGuest(identity)
  const { notification_type } = yield* RequestBody.json(request, NotifyRequest, 1024)
  const url = yield* (yield* PublicUrl).get
  const envelope = yield* Backend.notify(url, identity.userId, notification_type).pipe(
    Effect.catchTag("CommandFailed", ({ message }) => Effect.fail(problem(503, "not_published", message))),
  )
  return HttpServerResponse.jsonUnsafe(envelope, { status: 202 })
})

/** A backend checks that the file is the user's own before it publishes. */
const handleUploaded = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const identity = yield* authenticate(request)
  yield* rejectGuest(identity)
  const { file_path, media_id } = yield* RequestBody.json(request, UploadedRequest, 16_384)
  const { OBJECT_STORAGE_BUCKET: bucket } = yield* Settings
  if (!file_path.startsWith(`s3://${bucket}/uploads/${identity.userId}/${media_id}/`)) {
    return yield* problem(403, "forbidden", "this is no upload of yours", "file_path")
  }
  const url = yield* (yield* PublicUrl).get
  const envelope = yield* Backend.publish(url, { media_id, user_id: identity.userId, file_path }).pipe(
    Effect.catchTag("CommandFailed", ({ message }) => Effect.fail(problem(503, "not_published", message))),
  )
  return HttpServerResponse.jsonUnsafe(envelope, { status: 202 })
})

/** Processes beside the program: the raw upload that it is compared with, and an S3 server, whose memory is not the program's. */
import { createWriteStream } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import { S3Server } from "@armoricore/testing/S3Server"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Redacted } from "effect"

export type Address = Readonly<Record<string, string>>

const [, , kind, file = ""] = process.argv

if (kind === "raw") {
  const server = createServer((request, response) => {
    pipeline(request, createWriteStream(file, { flush: true })).then(
      () => response.writeHead(204).end(),
      () => response.destroy(),
    )
  })
  server.listen(0, "127.0.0.1", () => process.send?.({ PORT: String((server.address() as AddressInfo).port) }))
} else {
  NodeRuntime.runMain(
    Effect.gen(function* () {
      const { accessKey, endpoint, region, secretKey } = yield* S3Server
      process.send?.({
        OBJECT_STORAGE_ENDPOINT: endpoint,
        OBJECT_STORAGE_REGION: region,
        OBJECT_STORAGE_ACCESS_KEY: accessKey,
        OBJECT_STORAGE_SECRET_KEY: Redacted.value(secretKey),
      })
      return yield* Effect.never
    }).pipe(Effect.provide(S3Server.layer({ buckets: ["media"] }))),
  )
}

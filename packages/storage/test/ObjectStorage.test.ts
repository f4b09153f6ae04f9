import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as LocalStorage from "@armoricore/storage/local/LocalStorage"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as S3Storage from "@armoricore/storage/s3/S3Storage"
import { S3Server } from "@armoricore/testing/S3Server"
import { Effect, Layer } from "effect"
import { behaviourSuite } from "./support/BehaviourSuite.ts"
import { objectServer } from "./support/ObjectServer.ts"

const withMedia = Layer.effectDiscard(Effect.flatMap(ObjectStorage, (storage) => storage.setup("media")))

const local = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-objects-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })),
    ),
    (folder) => withMedia.pipe(Layer.provideMerge(LocalStorage.layer({ folder: join(folder, "objects") }))),
  ),
)

const s3 = Layer.unwrap(Effect.map(S3Server, (server) => S3Storage.layer(server))).pipe(
  Layer.provide(S3Server.layer({ buckets: ["media"] })),
)

behaviourSuite("memory", objectServer(MemoryStorage.layerNoDeps()), { bounded: false })
behaviourSuite("local", objectServer(local), { bounded: true })
behaviourSuite("S3", objectServer(s3), { bounded: true, shortParts: true, unsorted: true, listed: 200, trusting: true })

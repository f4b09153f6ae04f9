/** A media worker in its own process, on NATS and a shared folder; stops on SIGTERM. */
import * as NatsBus from "@armoricore/bus/nats/NatsBus"
import * as MediaService from "@armoricore/media/pipeline/MediaService"
import { Quota } from "@armoricore/media/pipeline/Quota"
import * as NatsState from "@armoricore/state/nats/NatsState"
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner"
import * as LocalStorage from "@armoricore/storage/local/LocalStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { Ledger, RetryPolicy, Worker } from "@armoricore/worker"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Duration, Effect, Layer, Logger, Redacted } from "effect"

export interface WorkerSetup {
  readonly nats: string
  readonly folder: string
}

/** The ports of the publisher and the workers. */
export const layerPorts = ({ folder, nats }: WorkerSetup) =>
  Layer.mergeAll(
    NatsState.layer({}).pipe(
      Layer.provideMerge(NatsBus.layerWithConnection({ servers: nats.split(","), maxBytes: 64 * 1024 ** 2 })),
    ),
    LocalStorage.layer({ folder: `${folder}/objects` }).pipe(
      Layer.provide(ObjectSigner.layer({ key: Redacted.make(Buffer.alloc(32, 1).toString("base64")) })),
      Layer.provide(PublicUrl.layerFixed("http://objects.invalid")),
    ),
    Layer.succeed(PlaybackUrls, {
      keysFor: () => Effect.succeed({ url: "http://keys.invalid/keys", relative: "../keys" }),

      urlFor: ({ bucket, key }) => Effect.succeed(`http://cdn.invalid/${bucket}/${key}`),
    }),
  )

const leaseDuration = Duration.seconds(2)

export const layerWorker = (shared: WorkerSetup, options: Partial<MediaService.Options> = {}) =>
  MediaService.layer({
    bucket: "media",
    sourceBuckets: ["media"],
    chunks: { minDuration: 10, chunkSeconds: 8, concurrency: 1 },
    scratchDir: `${shared.folder}/work`,
    ...options,
  }).pipe(
    Layer.provide([Ledger.layer, Quota.layerNoop]),
    Layer.provideMerge(layerPorts(shared)),
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(RetryPolicy, { maxAttempts: 5, base: Duration.millis(100), cap: Duration.seconds(1) }),
        Layer.succeed(Worker.WorkerTimeouts, {
          leaseDuration,
          drainTimeout: Duration.seconds(1),
          misconfigurationDelay: Duration.seconds(1),
        }),
        Logger.layer([]),
      ),
    ),
    Layer.provide(NodeServices.layer),
  )

const given = process.env["CHUNK_WORKER"]
if (given !== undefined) {
  const [nats = "", folder = "", seconds = "8"] = given.split(" ")
  const stopped = Effect.callback<void>((resume) => {
    process.once("SIGTERM", () => resume(Effect.void))
  })
  const chunks = { minDuration: 10, chunkSeconds: Number(seconds), concurrency: 1 }
  const program = Effect.andThen(
    Effect.sync(() => void process.stdout.write("ready\n")),
    stopped,
  )
  await Effect.runPromise(program.pipe(Effect.provide(layerWorker({ nats, folder }, { chunks }))))
  process.exit(0)
}

/**
 * `armoricore demo`: the whole system on embedded defaults, with a clip that goes all the way through it. With `--once`
 * it is a test of the installation: exit 0 only when the stream was announced over a WebSocket and could be fetched.
 */
import { Tokens } from "@armoricore/auth/Tokens"
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms"
import { ConfigProvider, Console, Duration, Effect, FileSystem, Layer, Option, Path, Ref } from "effect"
import { Command, Flag } from "effect/cli"
import * as TokensLayer from "../wiring/TokensLayer.ts"
import * as ConsoleLink from "./support/ConsoleLink.ts"
import * as Backend from "@armoricore/demo/Backend"
import * as DemoRoutes from "@armoricore/demo/DemoRoutes"
import * as ProgressBar from "@armoricore/demo/ProgressBar"
import * as SampleClip from "@armoricore/demo/SampleClip"
import * as UploadClient from "@armoricore/demo/UploadClient"
import { verifyStream } from "@armoricore/demo/StreamVerifier"
import { watchMedia } from "@armoricore/demo/MediaWatcher"
import { withGracefulExit } from "./support/GracefulExit.ts"
import { CommandFailed } from "../app/CommandErrors.ts"
import * as Program from "../app/Program.ts"
import { serviceNames } from "../app/Services.ts"
import { Settings } from "../settings/Settings.ts"
import { withSettings } from "./support/WithSettings.ts"

const once = Flag.Boolean("once").pipe(
  Flag.withDescription("end after one file; exit 0 only when its stream was announced and fetched"),
  Flag.withDefault(false),
)
const input = Flag.String("input").pipe(
  Flag.withDescription("a file of your own instead of the clip that is made"),
  Flag.withMetavar("FILE"),
  Flag.optional,
)

/** How long the demo waits for its stream; a long file of one's own takes its time. */
const readyTimeout = Duration.hours(6)

const run = Effect.fnUntraced(
  function* (options: { readonly once: boolean; readonly input: Option.Option<string> }) {
    const fs = yield* FileSystem.FileSystem
    const { join } = yield* Path.Path
    const settings = yield* Settings
    const file = yield* Option.match(options.input, {
      onSome: (given) =>
        Effect.flatMap(fs.exists(given), (exists) =>
          exists
            ? Effect.succeed(given)
            : Effect.fail(new CommandFailed({ message: `--input ${given}: there is no such file` })),
        ),
      onNone: () =>
        Effect.gen(function* () {
          const clip = join(yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-sample-" }), "sample.mp4")
          yield* Console.log("Making a short clip with picture and sound …")
          yield* SampleClip.make(clip).pipe(Effect.provide(ffmpegPrograms))
          return clip
        }),
    })
    const latest = yield* Ref.make<string | undefined>(undefined)
    const { url } = yield* Program.serve(new Set(serviceNames), DemoRoutes.layer({ latest, sample: file }))
    const here = settings.PUBLIC_URL ?? url

    const tokens = yield* Tokens
    const token = yield* tokens.sign({ userId: DemoRoutes.demoUserId, ttl: Duration.hours(12) })
    const grant = yield* UploadClient.requestUpload(here, token, file)
    yield* Console.log(`Uploading ${grant.file_path}`)
    const bar = ProgressBar.make(process.stdout)
    const ready = yield* watchMedia(here, token, grant.media_id, bar.show)
    yield* UploadClient.uploadFile(grant, file)
    const { event_id } = yield* Backend.publish(here, {
      media_id: grant.media_id,
      user_id: DemoRoutes.demoUserId,
      file_path: grant.file_path,
    })
    yield* Console.log(`Published media.uploaded ${event_id}`)
    yield* Ref.set(latest, grant.media_id)
    if (!options.once) yield* Console.log(`The page: ${url}/`)
    const result = yield* Effect.timeoutOrElse(ready, {
      duration: readyTimeout,
      orElse: () => Effect.fail(new CommandFailed({ message: "no media.ready came over the WebSocket" })),
    }).pipe(Effect.ensuring(Effect.sync(bar.end)))
    const { renditions, segments, thumbnails } = yield* verifyStream(result)
    yield* Console.log(
      `Ready: ${result.resolutions.join(", ")} (${renditions} rungs, ${segments} segments, ${thumbnails} thumbnails fetched)`,
    )
    yield* Console.log(result.playback_urls.hls)
    if (options.once) return
    yield* ConsoleLink.print(url)
    yield* Console.log(`Open ${url}/ in a browser. Ctrl-C ends the demo.`)
    return yield* Effect.never
  },
  Effect.scoped,
  withGracefulExit,
)

const ffmpegPrograms = Layer.unwrap(
  Effect.map(Settings, ({ FFMPEG_PATH, FFPROBE_PATH }) =>
    FfmpegPrograms.FfmpegPrograms.layer({
      ...(FFMPEG_PATH === undefined ? {} : { ffmpegPath: FFMPEG_PATH }),
      ...(FFPROBE_PATH === undefined ? {} : { ffprobePath: FFPROBE_PATH }),
    }),
  ),
)

/** A data folder of its own that goes with it, and any free port, unless the environment says otherwise. */
const demoEnvironment = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const given = yield* ConfigProvider.ConfigProvider
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-demo-" })
    const own = ConfigProvider.fromEnvRecord({ ARMORICORE_DATA_DIR: folder, PORT: "0", LOG_LEVEL: "warn" })
    return ConfigProvider.layer(ConfigProvider.orElse(given, own))
  }),
)

export const demo = Command.make("demo", { once, input }, (options) =>
  run(options).pipe(Effect.provide(TokensLayer.layer), withSettings, Effect.provide(demoEnvironment)),
).pipe(Command.withDescription("Shows the whole way of a video, from upload to playback, on embedded defaults"))

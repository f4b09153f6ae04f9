/**
 * Remembers which ffmpeg and ffprobe passed the trial. The trial takes a second of a core, more than the rest of a start. A
 * record in the folder for temporary files holds for one day, and only for the same files: another version of a program,
 * or another program on PATH, is tried again. A failure is not recorded. `armoricore doctor` always tries.
 */
import { Effect, FileSystem, Option, Path, Schema } from "effect"
import { createHash } from "node:crypto"
import { tmpdir } from "node:os"

/** Facts about the programs themselves. */
export const TrialResult = Schema.Struct({
  ffmpeg: Schema.String,
  ffprobe: Schema.String,
  version: Schema.String,
  toneMapping: Schema.Boolean,
  decodableCodecs: Schema.Array(Schema.String),
})
export type TrialResult = typeof TrialResult.Type

const Stored = Schema.fromJsonString(Schema.Struct({ key: Schema.String, found: Schema.String, result: TrialResult }))

/** The file behind a name on PATH, or a path, with what changes when it is replaced. */
const fingerprint = Effect.fnUntraced(function* (program: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const places = program.includes("/")
    ? [program]
    : (process.env["PATH"] ?? "").split(":").map((folder) => path.join(folder, program))
  for (const place of places) {
    const found = yield* Effect.option(Effect.all([fs.realPath(place), fs.stat(place)]))
    if (Option.isNone(found)) continue
    const [file, { ino, mtime, size }] = found.value
    const changed = Option.map(mtime, (at) => at.getTime())
    return [file, String(size), Option.getOrElse(changed, () => 0), Option.getOrElse(ino, () => 0)].join(":")
  }
  return "-"
})

/** The programs that passed may be others than those that were asked for: the ones of the optional npm packages. */
const fingerprintOf = ({ ffmpeg, ffprobe }: TrialResult) =>
  Effect.map(Effect.forEach([ffmpeg, ffprobe], fingerprint), (files) => files.join("\n"))

/**
 * The recorded result for these programs (names on PATH, or paths) and `purpose`, which stands for what the trial asks of
 * them; else that of `trial`, which is then recorded.
 */
export const remembered = Effect.fnUntraced(function* <E, R>(
  programs: ReadonlyArray<string>,
  purpose: string,
  trial: Effect.Effect<TrialResult, E, R>,
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const user = process.getuid?.() ?? 0
  // Processes with different folders on PATH each have a record.
  const files = yield* Effect.forEach(programs, fingerprint)
  const name = createHash("sha256")
    .update([...programs, purpose, ...files].join("\n"))
    .digest("hex")
    .slice(0, 16)
  const folder = path.join(tmpdir(), `armoricore-ffmpeg-${user}`)
  const file = path.join(folder, `${name}.json`)
  const day = Math.floor(Date.now() / 86_400_000)
  const key = [day, ...files].join("\n")

  const stored = yield* Effect.gen(function* () {
    const { uid } = yield* fs.stat(file)
    // Another user's file says nothing.
    if (Option.getOrElse(uid, () => user) !== user) return Option.none()
    const { found, key: of, result } = yield* Schema.decodeUnknownEffect(Stored)(yield* fs.readFileString(file))
    return of === key && found === (yield* fingerprintOf(result)) ? Option.some(result) : Option.none()
  }).pipe(Effect.orElseSucceed(() => Option.none<TrialResult>()))
  if (Option.isSome(stored)) return stored.value

  const result = yield* trial
  yield* Effect.gen(function* () {
    yield* fs.makeDirectory(folder, { recursive: true, mode: 0o700 })
    const draft = `${file}.${crypto.randomUUID()}`
    const text = yield* Schema.encodeEffect(Stored)({ key, found: yield* fingerprintOf(result), result })
    yield* fs.writeFileString(draft, text, { mode: 0o600, flag: "wx" })
    yield* fs.rename(draft, file)
    // Without a record the next start tries again.
  }).pipe(Effect.ignore)
  return result
})

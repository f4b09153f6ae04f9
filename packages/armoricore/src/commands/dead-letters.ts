/** `armoricore dead-letters`: what could not be handled, of every service: look at it, replay it, discard it. */
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters"
import { Console, Effect, FileSystem, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CommandFailed } from "../app/CommandErrors.ts"
import { remoteDeadLetters } from "./remote-dead-letters.ts"
import { type OperatorApiTarget, operatorApiFlags, withAdapters, withSettings } from "./support.ts"

/** With `--url` the letters of that installation, else those on the bus, with a program that runs or without one. */
const withDeadLetters = <A, E, R>(effect: Effect.Effect<A, E, R>, where: OperatorApiTarget) =>
  Option.isSome(where.url) ? Effect.provide(effect, remoteDeadLetters(where)) : withAdapters(effect)

const ids = Argument.String("id").pipe(Argument.withDescription("as list prints it"), Argument.variadic())
const id = Argument.String("id").pipe(Argument.withDescription("as list prints it"))

const filterFlags = {
  service: Flag.String("service").pipe(Flag.withDescription("only of this service"), Flag.optional),
  type: Flag.String("type").pipe(Flag.withDescription("only of this event type"), Flag.optional),
  reason: Flag.String("reason").pipe(Flag.withDescription("only with this reason"), Flag.optional),
}
const listFlags = {
  ...filterFlags,
  limit: Flag.Int("limit").pipe(Flag.withDescription("at most so many"), Flag.withDefault(100)),
}
const all = Flag.Boolean("all").pipe(
  Flag.withDescription("every letter that the filters let through"),
  Flag.withDefault(false),
)

interface DeadLetterFilter {
  readonly service: Option.Option<string>
  readonly type: Option.Option<string>
  readonly reason: Option.Option<string>
}

const toListFilter = ({ reason, service, type }: DeadLetterFilter) => ({
  ...optional("service", service),
  ...optional("type", type),
  ...optional("reason", reason),
})

/** Letters are named, or chosen by `--all` and the filters; both at once, or neither, is a slip of the hand. */
const selectIds = Effect.fnUntraced(function* (given: ReadonlyArray<string>, isAll: boolean, filter: DeadLetterFilter) {
  const isFiltered = Option.isSome(filter.service) || Option.isSome(filter.type) || Option.isSome(filter.reason)
  if (given.length > 0 && (isAll || isFiltered)) {
    return yield* new CommandFailed({
      message: "name letters by their ids, or choose them by --all and filters; not both",
    })
  }
  if (given.length > 0) return given
  if (!isAll) {
    return yield* new CommandFailed({
      message: "name the ids of letters, or choose them by --all with --service, --type, --reason",
    })
  }
  // All of them at this moment: what a replay brings back is not replayed again.
  const found = yield* (yield* DeadLetters).list({ limit: Number.MAX_SAFE_INTEGER, ...toListFilter(filter) })
  return found.map(({ id: letterId }) => letterId)
})

/** What fails for one letter is said, and the others are worked on all the same. */
const forEachDeadLetter = <E extends { readonly message: string }, R>(
  ids: ReadonlyArray<string>,
  word: string,
  work: (letterId: string) => Effect.Effect<void, E, R>,
) =>
  Effect.gen(function* () {
    const failures = yield* Effect.forEach(ids, (letterId) =>
      work(letterId).pipe(
        Effect.andThen(Console.log(`${word} ${letterId}`)),
        Effect.as([]),
        Effect.catch((error) => Effect.succeed([`${letterId}: ${error.message}`])),
      ),
    )
    const [first, ...others] = failures.flat()
    if (first !== undefined) {
      return yield* new CommandFailed({ message: [first, ...others].join("; ") })
    }
    if (ids.length === 0) yield* Console.error("there are no such dead letters")
  })

const list = Command.make(
  "list",
  { ...operatorApiFlags, ...listFlags },
  Effect.fn("dead-letters.list")(
    function* ({ limit, reason, service, type }) {
      const letters = yield* (yield* DeadLetters).list({
        limit,
        ...toListFilter({ service, type, reason }),
      })
      if (letters.length === 0) return yield* Console.error("there are no dead letters")
      yield* Effect.forEach(letters, ({ id: letterId, record }) =>
        Console.log(
          [
            letterId,
            record.last_at,
            record.service,
            record.event_type,
            record.reason,
            record.path,
            record.message,
          ].join("\t"),
        ),
      )
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("One line each: id, time, service, type, reason, field, sentence"))

const show = Command.make(
  "show",
  { ...operatorApiFlags, id },
  Effect.fn("dead-letters.show")(
    function* ({ id: letterId }) {
      const { body, record } = yield* (yield* DeadLetters).get(letterId)
      yield* Console.log(JSON.stringify({ id: letterId, ...record, body: new TextDecoder().decode(body) }, null, 2))
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("The whole letter as JSON, with the message as it came"))

const body = Flag.String("body").pipe(
  Flag.withDescription("a file with the mended event to send in its place"),
  Flag.withMetavar("FILE"),
  Flag.optional,
)

const replay = Command.make(
  "replay",
  { ...operatorApiFlags, ids, body, all, ...filterFlags },
  Effect.fn("dead-letters.replay")(
    function* ({ all: isAll, body: edited, ids: given, ...filter }) {
      const letters = yield* DeadLetters
      const fs = yield* FileSystem.FileSystem
      if (Option.isSome(edited) && (given.length !== 1 || isAll)) {
        return yield* new CommandFailed({ message: "--body mends one letter; name one id" })
      }
      const bytes = Option.isNone(edited)
        ? undefined
        : yield* Effect.mapError(
            fs.readFile(edited.value),
            () => new CommandFailed({ message: `--body ${edited.value} cannot be read` }),
          )
      const letterIds = yield* selectIds(given, isAll, filter)
      yield* forEachDeadLetter(letterIds, "replayed", (letterId) => letters.replay(letterId, bytes))
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("Sends them again, to be handled anew"))

const discard = Command.make(
  "discard",
  { ...operatorApiFlags, ids, all, ...filterFlags },
  Effect.fn("dead-letters.discard")(
    function* ({ all: isAll, ids: given, ...filter }) {
      const letters = yield* DeadLetters
      const letterIds = yield* selectIds(given, isAll, filter)
      yield* forEachDeadLetter(letterIds, "discarded", (letterId) => letters.discard(letterId))
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("Removes them for good"))

const optional = <const Name extends string>(
  name: Name,
  value: Option.Option<string>,
): { readonly [N in Name]?: string } =>
  // A computed name widens to string; it is exactly Name.
  (Option.isNone(value) ? {} : { [name]: value.value }) as { readonly [N in Name]?: string }

export const deadLetters = Command.make("dead-letters").pipe(
  Command.withDescription("Works on the dead letters of every service"),
  Command.withSubcommands([list, show, replay, discard]),
)

/** `armoricore dead-letters`: what could not be handled, of every service: look at it, replay it, discard it. */
import { DeadLetters } from "@armoricore/worker/DeadLetters"
import { Console, Effect, FileSystem, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CommandFailed } from "../Failure.ts"
import { connected } from "./connected.ts"
import { flags, lettersOf, type Where } from "./reached.ts"
import { settled } from "./settled.ts"

/** With `--url` the letters of that installation, else those on the bus, with a program that runs or without one. */
const lettered = <A, E, R>(effect: Effect.Effect<A, E, R>, where: Where) =>
  Option.isSome(where.url) ? Effect.provide(effect, lettersOf(where)) : connected(effect)

const ids = Argument.String("id").pipe(Argument.withDescription("as list prints it"), Argument.variadic())
const id = Argument.String("id").pipe(Argument.withDescription("as list prints it"))

const which = {
  service: Flag.String("service").pipe(Flag.withDescription("only of this service"), Flag.optional),
  type: Flag.String("type").pipe(Flag.withDescription("only of this event type"), Flag.optional),
  reason: Flag.String("reason").pipe(Flag.withDescription("only with this reason"), Flag.optional),
}
const filters = {
  ...which,
  limit: Flag.Int("limit").pipe(Flag.withDescription("at most so many"), Flag.withDefault(100)),
}
const all = Flag.Boolean("all").pipe(
  Flag.withDescription("every letter that the filters let through"),
  Flag.withDefault(false),
)

interface Which {
  readonly service: Option.Option<string>
  readonly type: Option.Option<string>
  readonly reason: Option.Option<string>
}

const filterOf = ({ reason, service, type }: Which) => ({
  ...optional("service", service),
  ...optional("type", type),
  ...optional("reason", reason),
})

/** Letters are named, or chosen by `--all` and the filters; both at once, or neither, is a slip of the hand. */
const chosen = Effect.fnUntraced(function* (given: ReadonlyArray<string>, isAll: boolean, filter: Which) {
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
  const letters = yield* (yield* DeadLetters).list({ limit: Number.MAX_SAFE_INTEGER, ...filterOf(filter) })
  return letters.map(({ id: letterId }) => letterId)
})

/** What fails for one letter is said, and the others are worked on all the same. */
const each = <E extends { readonly message: string }, R>(
  letterIds: ReadonlyArray<string>,
  word: string,
  work: (letterId: string) => Effect.Effect<void, E, R>,
) =>
  Effect.gen(function* () {
    const failures = yield* Effect.forEach(letterIds, (letterId) =>
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
    if (letterIds.length === 0) yield* Console.error("there are no such dead letters")
  })

const list = Command.make(
  "list",
  { ...flags, ...filters },
  Effect.fn("dead-letters.list")(
    function* ({ limit, reason, service, type }) {
      const letters = yield* (yield* DeadLetters).list({
        limit,
        ...filterOf({ service, type, reason }),
      })
      if (letters.length === 0) return yield* Console.error("there are no dead letters")
      yield* Effect.forEach(letters, ({ id: letterId, info }) =>
        Console.log(
          [letterId, info.last_at, info.service, info.event_type, info.reason, info.path, info.message].join("\t"),
        ),
      )
    },
    lettered,
    settled,
  ),
).pipe(Command.withDescription("One line each: id, time, service, type, reason, field, sentence"))

const show = Command.make(
  "show",
  { ...flags, id },
  Effect.fn("dead-letters.show")(
    function* ({ id: letterId }) {
      const { body, info } = yield* (yield* DeadLetters).get(letterId)
      yield* Console.log(JSON.stringify({ id: letterId, ...info, body: new TextDecoder().decode(body) }, null, 2))
    },
    lettered,
    settled,
  ),
).pipe(Command.withDescription("The whole letter as JSON, with the message as it came"))

const body = Flag.String("body").pipe(
  Flag.withDescription("a file with the mended event to send in its place"),
  Flag.withMetavar("FILE"),
  Flag.optional,
)

const replay = Command.make(
  "replay",
  { ...flags, ids, body, all, ...which },
  Effect.fn("dead-letters.replay")(
    function* ({ all: isAll, body: mended, ids: given, ...filter }) {
      const letters = yield* DeadLetters
      const fs = yield* FileSystem.FileSystem
      if (Option.isSome(mended) && (given.length !== 1 || isAll)) {
        return yield* new CommandFailed({ message: "--body mends one letter; name one id" })
      }
      const bytes = Option.isNone(mended)
        ? undefined
        : yield* Effect.mapError(
            fs.readFile(mended.value),
            () => new CommandFailed({ message: `--body ${mended.value} cannot be read` }),
          )
      const letterIds = yield* chosen(given, isAll, filter)
      yield* each(letterIds, "replayed", (letterId) => letters.replay(letterId, bytes))
    },
    lettered,
    settled,
  ),
).pipe(Command.withDescription("Sends them again, to be handled anew"))

const discard = Command.make(
  "discard",
  { ...flags, ids, all, ...which },
  Effect.fn("dead-letters.discard")(
    function* ({ all: isAll, ids: given, ...filter }) {
      const letters = yield* DeadLetters
      const letterIds = yield* chosen(given, isAll, filter)
      yield* each(letterIds, "discarded", (letterId) => letters.discard(letterId))
    },
    lettered,
    settled,
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

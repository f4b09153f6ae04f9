/** `armoricore dead-letters`: what could not be handled, of every service: look at it, replay it, discard it. */
import { DeadLetters } from "@armoricore/worker/DeadLetters"
import { Console, Effect, FileSystem, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CommandFailed } from "../Failure.ts"
import { connected } from "./connected.ts"
import { settled } from "./settled.ts"

const ids = Argument.String("id").pipe(Argument.withDescription("as list prints it"), Argument.atLeast(1))
const id = Argument.String("id").pipe(Argument.withDescription("as list prints it"))

const filters = {
  service: Flag.String("service").pipe(Flag.withDescription("only of this service"), Flag.optional),
  type: Flag.String("type").pipe(Flag.withDescription("only of this event type"), Flag.optional),
  reason: Flag.String("reason").pipe(Flag.withDescription("only with this reason"), Flag.optional),
  limit: Flag.Int("limit").pipe(Flag.withDescription("at most so many"), Flag.withDefault(100)),
}

const list = Command.make(
  "list",
  filters,
  Effect.fn("dead-letters.list")(
    function* ({ limit, reason, service, type }) {
      const letters = yield* (yield* DeadLetters).list({
        limit,
        ...optional("service", service),
        ...optional("type", type),
        ...optional("reason", reason),
      })
      if (letters.length === 0) return yield* Console.error("there are no dead letters")
      yield* Effect.forEach(letters, ({ id: letterId, info }) =>
        Console.log(
          [letterId, info.last_at, info.service, info.event_type, info.reason, info.path, info.message].join("\t"),
        ),
      )
    },
    connected,
    settled,
  ),
).pipe(Command.withDescription("One line each: id, time, service, type, reason, field, sentence"))

const show = Command.make(
  "show",
  { id },
  Effect.fn("dead-letters.show")(
    function* ({ id: letterId }) {
      const { body, info } = yield* (yield* DeadLetters).get(letterId)
      yield* Console.log(JSON.stringify({ id: letterId, ...info, body: new TextDecoder().decode(body) }, null, 2))
    },
    connected,
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
  { ids, body },
  Effect.fn("dead-letters.replay")(
    function* ({ body: mended, ids: letterIds }) {
      const letters = yield* DeadLetters
      const fs = yield* FileSystem.FileSystem
      if (Option.isSome(mended) && letterIds.length > 1) {
        return yield* new CommandFailed({ message: "--body mends one letter; name one id" })
      }
      const bytes = Option.isNone(mended)
        ? undefined
        : yield* Effect.mapError(
            fs.readFile(mended.value),
            () => new CommandFailed({ message: `--body ${mended.value} cannot be read` }),
          )
      yield* Effect.forEach(letterIds, (letterId) =>
        Effect.andThen(letters.replay(letterId, bytes), Console.log(`replayed ${letterId}`)),
      )
    },
    connected,
    settled,
  ),
).pipe(Command.withDescription("Sends them again, to be handled anew"))

const discard = Command.make(
  "discard",
  { ids },
  Effect.fn("dead-letters.discard")(
    function* ({ ids: letterIds }) {
      const letters = yield* DeadLetters
      yield* Effect.forEach(letterIds, (letterId) =>
        Effect.andThen(letters.discard(letterId), Console.log(`discarded ${letterId}`)),
      )
    },
    connected,
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

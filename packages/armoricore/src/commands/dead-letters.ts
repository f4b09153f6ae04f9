/** `armoricore dead-letters`: lists, shows, replays and discards the dead letters of every service. */
import { deadLetterReasons } from "@armoricore/worker/dead-letters/DeadLetterRecord"
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters"
import { Console, Effect, FileSystem, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CommandFailed } from "../app/CommandErrors.ts"
import { remoteDeadLetters } from "./remote-dead-letters.ts"
import { jsonFlag, limitFlag, printItems } from "./output.ts"
import { isRemote, type OperatorApiTarget, operatorApiFlags, usageFailure, withAdapters } from "./support.ts"
import { withSettings } from "./with-settings.ts"

/** With `--url` or `--context` over the operator API, otherwise directly on the bus, even when no program runs. */
const withDeadLetters = <A, E, R>(effect: Effect.Effect<A, E, R>, target: OperatorApiTarget) =>
  isRemote(target) ? Effect.provide(effect, remoteDeadLetters(target)) : withAdapters(effect)

const ids = Argument.String("id").pipe(Argument.withDescription("id as printed by list"), Argument.variadic())
const id = Argument.String("id").pipe(Argument.withDescription("id as printed by list"))

const filterFlags = {
  service: Flag.String("service").pipe(Flag.withDescription("only this service"), Flag.optional),
  type: Flag.String("type").pipe(Flag.withDescription("only this event type"), Flag.optional),
  reason: Flag.String("reason").pipe(Flag.withDescription("only this reason"), Flag.optional),
}
const listFlags = {
  ...filterFlags,
  limit: limitFlag,
  json: jsonFlag,
}
const all = Flag.Boolean("all").pipe(
  Flag.withDescription("every dead letter that matches the filters"),
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

/** The ids of the arguments, or with `--all` those that match the filters. Anything else is a usage error. */
const selectIds = Effect.fnUntraced(function* (
  explicitIds: ReadonlyArray<string>,
  isAll: boolean,
  filter: DeadLetterFilter,
) {
  const isFiltered = Option.isSome(filter.service) || Option.isSome(filter.type) || Option.isSome(filter.reason)
  if (explicitIds.length > 0 && (isAll || isFiltered)) {
    return yield* new CommandFailed({
      message: "use either ids, or --all with filters, not both",
    })
  }
  if (explicitIds.length > 0) return explicitIds
  if (!isAll) {
    return yield* new CommandFailed({
      message: "no dead letter selected: pass ids, or --all with --service, --type or --reason",
    })
  }
  // A snapshot: a dead letter that a replay creates is not replayed again.
  const matching = yield* (yield* DeadLetters).list({ limit: Number.MAX_SAFE_INTEGER, ...toListFilter(filter) })
  if (matching.length === 0) yield* checkReason(filter.reason)
  return matching.map(({ id: letterId }) => letterId)
})

/**
 * A reason that no worker uses is a mistake in typing. Services of others may have reasons of their own, so one that any
 * dead letter has is accepted too.
 */
const checkReason = Effect.fnUntraced(function* (reason: Option.Option<string>) {
  if (Option.isNone(reason) || deadLetterReasons.some((known) => known === reason.value)) return
  const all = yield* (yield* DeadLetters).list({ limit: Number.MAX_SAFE_INTEGER })
  if (all.some(({ record }) => record.reason === reason.value)) return
  yield* usageFailure(
    `no reason is called ${reason.value}; --reason is one of ${deadLetterReasons.join(", ")}, or another reason that a dead letter has`,
  )
})

/** Handles every dead letter, and fails at the end with the messages of those that failed. */
const forEachDeadLetter = <E extends { readonly message: string }, R>(
  ids: ReadonlyArray<string>,
  verb: string,
  work: (letterId: string) => Effect.Effect<void, E, R>,
) =>
  Effect.gen(function* () {
    const failures = yield* Effect.forEach(ids, (letterId) =>
      work(letterId).pipe(
        Effect.andThen(Console.log(`${verb} ${letterId}`)),
        Effect.as([]),
        Effect.catch((error) => Effect.succeed([`${letterId}: ${error.message}`])),
      ),
    )
    const [first, ...others] = failures.flat()
    if (first !== undefined) {
      return yield* new CommandFailed({ message: [first, ...others].join("; ") })
    }
    if (ids.length === 0) yield* Console.error("no dead letters match")
  })

const list = Command.make(
  "list",
  { ...operatorApiFlags, ...listFlags },
  Effect.fn("dead-letters.list")(
    function* ({ json, limit, reason, service, type }) {
      const letters = yield* (yield* DeadLetters).list({
        limit,
        ...toListFilter({ service, type, reason }),
      })
      if (letters.length === 0) yield* checkReason(reason)
      if (letters.length === 0 && !json) return yield* Console.error("no dead letters")
      yield* printItems(
        letters.map(({ id: letterId, record }) => ({ id: letterId, ...record })),
        json,
        (letter) => [
          letter.id,
          letter.last_at,
          letter.service,
          letter.event_type,
          letter.reason,
          letter.path,
          letter.message,
        ],
      )
      // Beside the list, which other programs may read.
      if (!json) yield* Console.error("next: armoricore dead-letters show ID, replay ID or discard ID")
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("Prints one line per dead letter: id, time, service, type, reason, field, message"))

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
).pipe(Command.withDescription("Prints a dead letter as JSON, with the body of its message"))

const body = Flag.String("body").pipe(
  Flag.withDescription("a file with a corrected event to send instead"),
  Flag.withMetavar("FILE"),
  Flag.optional,
)

const replay = Command.make(
  "replay",
  { ...operatorApiFlags, ids, body, all, ...filterFlags },
  Effect.fn("dead-letters.replay")(
    function* ({ all: isAll, body: edited, ids: explicitIds, ...filter }) {
      const letters = yield* DeadLetters
      const fs = yield* FileSystem.FileSystem
      if (Option.isSome(edited) && (explicitIds.length !== 1 || isAll)) {
        return yield* new CommandFailed({ message: "--body replaces the body of one dead letter; pass exactly one id" })
      }
      const bytes = Option.isNone(edited)
        ? undefined
        : yield* Effect.mapError(
            fs.readFile(edited.value),
            () => new CommandFailed({ message: `cannot read --body ${edited.value}` }),
          )
      const letterIds = yield* selectIds(explicitIds, isAll, filter)
      yield* forEachDeadLetter(letterIds, "replayed", (letterId) => letters.replay(letterId, bytes))
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("Publishes dead letters again"))

const discard = Command.make(
  "discard",
  { ...operatorApiFlags, ids, all, ...filterFlags },
  Effect.fn("dead-letters.discard")(
    function* ({ all: isAll, ids: explicitIds, ...filter }) {
      const letters = yield* DeadLetters
      const letterIds = yield* selectIds(explicitIds, isAll, filter)
      yield* forEachDeadLetter(letterIds, "discarded", (letterId) => letters.discard(letterId))
    },
    withDeadLetters,
    withSettings,
  ),
).pipe(Command.withDescription("Deletes dead letters"))

const optional = <const Name extends string>(
  name: Name,
  value: Option.Option<string>,
): { readonly [N in Name]?: string } =>
  // A computed name widens to string; it is exactly Name.
  (Option.isNone(value) ? {} : { [name]: value.value }) as { readonly [N in Name]?: string }

export const deadLetters = Command.make("dead-letters").pipe(Command.withSubcommands([list, show, replay, discard]))

/** `armoricore operator`: calls the operator API of a running installation. */
import type { AuditEntry } from "@armoricore/operator/api/AuditEntry"
import { JobKind } from "@armoricore/operator/api/Job"
import { LogLevel } from "@armoricore/operator/OperatorApi"
import { OperatorClient } from "@armoricore/operator/OperatorClient"
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { type OperatorApiTarget, operatorApiFlags, withOperatorApi, withSettings } from "./support.ts"

const mediaId = Argument.String("media_id")
const userId = Argument.String("user_id")
const name = Argument.String("name").pipe(Argument.withDescription("as `circuits` prints it, for example provider:fcm"))
const reason = Flag.String("reason").pipe(
  Flag.withDescription("reason, for the user and the audit log"),
  Flag.withDefault(""),
)
const limit = Flag.Int("limit").pipe(Flag.withDescription("maximum number of lines"), Flag.withDefault(100))

const printRow = (...parts: ReadonlyArray<string | number>) => Console.log(parts.join("\t"))

/** A command that calls the operator API. */
const operatorCommand = <const Name extends string, const Config extends Command.Command.Config, E, R>(
  commandName: Name,
  config: Config,
  description: string,
  work: (api: OperatorClient["Service"], given: Command.Command.Config.Infer<Config>) => Effect.Effect<unknown, E, R>,
) =>
  Command.make(commandName, { ...operatorApiFlags, ...config }, (given) => {
    // TypeScript cannot infer that the config above consists of these two parts.
    const all = given as OperatorApiTarget & Command.Command.Config.Infer<Config>
    return Effect.flatMap(OperatorClient, (api) => work(api, all)).pipe(
      (call) => withOperatorApi(call, all),
      withSettings,
    )
  }).pipe(Command.withDescription(description))

const overview = operatorCommand("overview", {}, "Prints warnings, sockets, jobs, queues and processes", (api) =>
  Effect.gen(function* () {
    const { warnings, dead_letters, jobs, nodes, queues, sample } = yield* api.GetOverview()
    for (const { level, message } of warnings) yield* printRow(level.toUpperCase(), message)
    const working = Object.entries(jobs.stages).map(([stage, count]) => `${count} ${stage}`)
    yield* printRow("sockets", sample.sockets)
    yield* printRow("jobs", working.length === 0 ? "none at work" : working.join(", "))
    yield* printRow("dead letters", `${dead_letters.count}${dead_letters.more ? "+" : ""}`)
    for (const { in_flight, name: queue, oldest_age_millis, pending } of queues) {
      if (pending + in_flight > 0)
        yield* printRow("queue", queue, `${pending} waiting`, `${in_flight} in work`, `${oldest_age_millis} ms`)
    }
    for (const { cpu, log_level, memory, node, services } of nodes) {
      yield* printRow(
        "process",
        node,
        services.join(","),
        `${Math.round(cpu * 100)} % CPU`,
        `${Math.round(memory / 2 ** 20)} MB`,
        log_level,
      )
    }
  }),
)

const jobs = operatorCommand(
  "jobs",
  { limit },
  "Prints jobs: id, user, status, stage, percent, time, error, kind",
  (api, given) =>
    Effect.flatMap(
      api.ListJobs({ limit: given.limit }),
      Effect.forEach((job) =>
        printRow(
          job.media_id,
          job.user_id,
          job.status,
          job.stage,
          `${Math.floor(job.percent)} %`,
          job.updated_at,
          job.error?.message ?? "",
          job.kind,
        ),
      ),
    ),
)
const kind = Flag.Literals("kind", JobKind.literals).pipe(
  Flag.withDescription("the media job or the captions job"),
  Flag.withDefault("media" as const),
)
const cancel = operatorCommand("cancel", { mediaId, kind }, "Cancels a media or captions job", (api, given) =>
  Effect.andThen(api.CancelJob({ kind: given.kind, media_id: given.mediaId }), printRow("cancelling", given.mediaId)),
)
const retry = operatorCommand("retry", { mediaId, kind }, "Retries a failed media or captions job", (api, given) =>
  Effect.andThen(api.RetryJob({ kind: given.kind, media_id: given.mediaId }), printRow("retrying", given.mediaId)),
)

const rooms = operatorCommand("rooms", { limit }, "Prints rooms: topic, members, nodes", (api, given) =>
  Effect.flatMap(api.ListRooms({ limit: given.limit }), ({ rooms: page }) =>
    Effect.forEach(page, ({ members, nodes, topic }) => printRow(topic, members, nodes.join(","))),
  ),
)
const sockets = operatorCommand(
  "sockets",
  { limit },
  "Prints sockets: id, user, address, connection time, topics",
  (api, given) =>
    Effect.flatMap(api.ListSockets({ limit: given.limit }), ({ sockets: page }) =>
      Effect.forEach(page, (one) =>
        printRow(one.socket_id, one.user_id, one.address, one.connected_at, one.topics.join(",")),
      ),
    ),
)
const topic = Flag.String("topic").pipe(Flag.withDescription("only this room"), Flag.optional)
const kick = operatorCommand(
  "kick",
  { userId, reason, topic },
  "Closes the sockets of a user, or removes the user from a room",
  (api, given) =>
    Effect.flatMap(
      api.Kick({
        user_id: given.userId,
        reason: given.reason,
        ...(Option.isNone(given.topic) ? {} : { topic: given.topic.value }),
      }),
      ({ kicked }) => printRow("kicked", kicked),
    ),
)
const ban = operatorCommand("ban", { userId, reason }, "Revokes every token of a user", (api, given) =>
  Effect.flatMap(api.Ban({ user_id: given.userId, reason: given.reason }), ({ kicked }) =>
    printRow("banned", given.userId, kicked),
  ),
)

const circuits = operatorCommand("circuits", {}, "Prints circuits: name, status, failures, user who paused it", (api) =>
  Effect.flatMap(api.ListCircuits(), ({ circuits: page }) =>
    Effect.forEach(page, (one) =>
      printRow(one.name, one.paused === undefined ? one.status : "paused", one.failures, one.paused?.by ?? ""),
    ),
  ),
)
const pause = operatorCommand("pause", { name, reason }, "Stops calls to a provider or dependency", (api, given) =>
  Effect.andThen(api.PauseCircuit({ name: given.name, reason: given.reason }), printRow("paused", given.name)),
)
const resume = operatorCommand("resume", { name }, "Ends a pause, and probes an open circuit at once", (api, given) =>
  Effect.andThen(api.ResumeCircuit({ name: given.name }), printRow("resumed", given.name)),
)

const reviewFilter = {
  limit,
  withReason: Flag.String("with-reason").pipe(
    Flag.withDescription("only messages with this reason, such as flood, repeated, word or link"),
    Flag.optional,
  ),
  user: Flag.String("user").pipe(Flag.withDescription("only messages of this user"), Flag.optional),
  room: Flag.String("room").pipe(Flag.withDescription("only messages in this room or stream"), Flag.optional),
}
const pendingReviews = (
  api: OperatorClient["Service"],
  given: {
    readonly limit: number
    readonly withReason: Option.Option<string>
    readonly user: Option.Option<string>
    readonly room: Option.Option<string>
  },
) =>
  api.ListReviews({
    status: "pending",
    limit: given.limit,
    ...Option.match(given.withReason, { onNone: () => ({}), onSome: (only) => ({ reason: only }) }),
    ...Option.match(given.user, { onNone: () => ({}), onSome: (user_id) => ({ user_id }) }),
    ...Option.match(given.room, { onNone: () => ({}), onSome: (conversation_id) => ({ conversation_id }) }),
  })
const reviews = operatorCommand(
  "reviews",
  reviewFilter,
  "Prints flagged messages that await a decision",
  (api, given) =>
    Effect.flatMap(
      pendingReviews(api, given),
      Effect.forEach((one) =>
        printRow(one.review_id, one.user_id, one.reasons.join(","), one.count ?? 1, one.content ?? ""),
      ),
    ),
)

/** Decides on the named reviews, or on all pending ones that the filter selects. */
const decisionCommand = (decision: "approve" | "remove", outcome: string, description: string) =>
  operatorCommand(
    decision,
    { reviewIds: Argument.String("review_id").pipe(Argument.variadic({ min: 0 })), ...reviewFilter },
    description,
    Effect.fnUntraced(function* (api, given) {
      const isFiltered = [given.withReason, given.user, given.room].some(Option.isSome)
      const review_ids =
        given.reviewIds.length > 0
          ? given.reviewIds
          : isFiltered
            ? (yield* pendingReviews(api, given)).map(({ review_id }) => review_id)
            : []
      if (review_ids.length === 0) {
        return yield* printRow("no message selected: name a review_id, or --with-reason, --user or --room")
      }
      const { decided, rejected } = yield* api.DecideReviews({ review_ids, decision })
      yield* printRow(outcome, decided)
      yield* Effect.forEach(rejected, ({ message, review_id }) => printRow("rejected", review_id, message))
    }),
  )
const approve = decisionCommand("approve", "approved", "Approves flagged messages: by id, or all that a filter selects")
const remove = decisionCommand(
  "remove",
  "removed",
  "Removes flagged messages for all clients: by id, or all that a filter selects",
)

const level = Argument.Literals("level", LogLevel.literals)
const node = Flag.String("node").pipe(Flag.withDescription("only this node"), Flag.optional)
const logLevel = operatorCommand(
  "log-level",
  { level, node },
  "Changes the log level of running processes",
  (api, given) =>
    Effect.flatMap(
      api.SetLogLevel({ level: given.level, ...(Option.isNone(given.node) ? {} : { node: given.node.value }) }),
      ({ nodes }) => printRow(given.level, nodes.join(",")),
    ),
)

const printAuditEntry = ({ payload, action, at, detail, outcome, user_id }: AuditEntry) =>
  printRow(at, user_id ?? "-", action, outcome, JSON.stringify(payload), detail ?? "")
const audit = operatorCommand("audit", { limit }, "Prints the audit log, newest first", (api, given) =>
  Effect.flatMap(api.ListAudit({ limit: given.limit }), Effect.forEach(printAuditEntry)),
)

export const operator = Command.make("operator").pipe(
  Command.withSubcommands([
    overview,
    jobs,
    cancel,
    retry,
    rooms,
    sockets,
    kick,
    ban,
    circuits,
    pause,
    resume,
    reviews,
    approve,
    remove,
    logLevel,
    audit,
  ]),
)

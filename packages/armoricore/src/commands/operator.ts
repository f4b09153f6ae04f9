/** `armoricore operator`: calls the operator API of a running installation. */
import { eventTypes } from "@armoricore/domain/EventRegistry"
import { type LiveLine, LiveSource } from "@armoricore/operator/api/LiveLine"
import { JobKind, JobStatus } from "@armoricore/operator/api/Job"
import { LogLevel } from "@armoricore/operator/OperatorApi"
import type { OperatorClient } from "@armoricore/operator/OperatorClient"
import { Console, Effect, Option, Path, type Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Contexts } from "../app/Contexts.ts"
import { jsonFlag, limitFlag, printItems, printRow, withShownDefault } from "./output.ts"
import { operatorCommand } from "./operator-command.ts"
import * as Notifications from "./operator-notifications.ts"
import { usageFailure } from "./support.ts"

const mediaId = Argument.String("media_id")
const userId = Argument.String("user_id")
const name = Argument.String("name").pipe(Argument.withDescription("as `circuits` prints it, for example provider:fcm"))
const reason = Flag.String("reason").pipe(
  Flag.withDescription("reason, for the user and the audit log"),
  Flag.withDefault(""),
)
const limit = limitFlag
const json = jsonFlag

const overview = operatorCommand(
  "overview",
  { json },
  "Prints warnings, sockets, jobs, queues and processes",
  (api, given) =>
    Effect.gen(function* () {
      const { history: _history, ...current } = yield* api.GetOverview()
      if (given.json) return yield* Console.log(JSON.stringify(current))
      const { warnings, dead_letters, jobs, nodes, queues, sample } = current
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
  {
    limit,
    json,
    status: Flag.Literals("status", JobStatus.literals).pipe(
      Flag.withDescription("only jobs with this status"),
      Flag.optional,
    ),
    query: Flag.String("query").pipe(Flag.withDescription("part of a media id or user id"), Flag.optional),
  },
  "Prints jobs: id, user, status, stage, percent, time, error, kind",
  (api, given) =>
    Effect.flatMap(
      api.ListJobs({
        limit: given.limit,
        ...(Option.isNone(given.status) ? {} : { status: given.status.value }),
        ...(Option.isNone(given.query) ? {} : { query: given.query.value }),
      }),
      (found) =>
        printItems(found, given.json, (job) => [
          job.media_id,
          job.user_id,
          job.status,
          job.stage,
          `${Math.floor(job.percent)} %`,
          job.updated_at,
          job.error?.message ?? "",
          job.kind,
        ]),
    ),
)
const kind = Flag.Literals("kind", JobKind.literals).pipe(
  withShownDefault("the media job or the captions job", "media"),
)
const cancel = operatorCommand("cancel", { mediaId, kind }, "Cancels a media or captions job", (api, given) =>
  Effect.andThen(api.CancelJob({ kind: given.kind, media_id: given.mediaId }), printRow("cancelling", given.mediaId)),
)
const retry = operatorCommand("retry", { mediaId, kind }, "Retries a failed media or captions job", (api, given) =>
  Effect.andThen(api.RetryJob({ kind: given.kind, media_id: given.mediaId }), printRow("retrying", given.mediaId)),
)

const rooms = operatorCommand("rooms", { limit, json }, "Prints rooms: topic, members, nodes", (api, given) =>
  Effect.flatMap(api.ListRooms({ limit: given.limit }), ({ rooms: page }) =>
    printItems(page, given.json, ({ members, nodes, topic }) => [topic, members, nodes.join(",")]),
  ),
)
const sockets = operatorCommand(
  "sockets",
  { limit, json },
  "Prints sockets: id, user, address, connection time, topics",
  (api, given) =>
    Effect.flatMap(api.ListSockets({ limit: given.limit }), ({ sockets: page }) =>
      printItems(page, given.json, (one) => [
        one.socket_id,
        one.user_id,
        one.address,
        one.connected_at,
        one.topics.join(","),
      ]),
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

const circuits = operatorCommand(
  "circuits",
  { json },
  "Prints circuits: name, status, failures, user who paused it",
  (api, given) =>
    Effect.flatMap(api.ListCircuits(), ({ circuits: page }) =>
      printItems(page, given.json, (one) => [
        one.name,
        one.paused === undefined ? one.status : "paused",
        one.failures,
        one.paused?.by ?? "",
      ]),
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
  { ...reviewFilter, json },
  "Prints flagged messages that await a decision",
  (api, given) =>
    Effect.flatMap(pendingReviews(api, given), (found) =>
      printItems(found, given.json, (one) => [
        one.review_id,
        one.user_id,
        one.reasons.join(","),
        one.count ?? 1,
        one.content ?? "",
      ]),
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

const audit = operatorCommand("audit", { limit, json }, "Prints the audit log, newest first", (api, given) =>
  Effect.flatMap(api.ListAudit({ limit: given.limit }), (entries) =>
    printItems(entries, given.json, ({ payload, action, at, detail, outcome, user_id }) => [
      at,
      user_id ?? "-",
      action,
      outcome,
      JSON.stringify(payload),
      detail ?? "",
    ]),
  ),
)

const sources = Flag.Literals("only", LiveSource.literals).pipe(
  Flag.withDescription("only events, or only logs"),
  Flag.optional,
)
const types = Flag.Literals("type", eventTypes).pipe(
  Flag.withDescription("only events of this type; repeatable"),
  Flag.atLeast(0),
)
const tail = operatorCommand(
  "tail",
  { json, sources, types },
  "Prints events and log lines of all processes as they occur, until Ctrl+C",
  (api, given) => {
    const filter = {
      ...(Option.isNone(given.sources) ? {} : { sources: [given.sources.value] }),
      ...(given.types.length === 0 ? {} : { types: given.types }),
    }
    return Stream.runForEach(api.WatchLive(filter), (line) => printItems([line], given.json, liveColumns))
  },
)

const liveColumns = (live: LiveLine): ReadonlyArray<string> => {
  if (live._tag === "Gap") return ["…", "lines are missing here"]
  const source = live._tag === "Event" ? live.event : live.line
  const { event_type, level, message, payload, timestamp, ...others } = asRecord(source)
  return live._tag === "Event"
    ? [String(timestamp), "event", String(event_type), JSON.stringify(payload)]
    : [String(timestamp), String(level), live.node, `${String(message)} ${JSON.stringify(others)}`]
}
const asRecord = (value: Schema.Json): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {}

const withContexts = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, Contexts.layer)

const contexts = Command.make(
  "contexts",
  { json },
  Effect.fn("operator.contexts")(function* ({ json: isJson }) {
    const { all, path } = yield* Contexts
    const items = Object.entries(yield* all).map(([contextName, { token, token_file, url }]) => ({
      name: contextName,
      url,
      // The token itself is a secret.
      token: token_file ?? (token === undefined ? "signed with JWT_SECRET" : "stored"),
    }))
    if (items.length === 0 && !isJson) yield* Console.error(`${path} has no contexts`)
    yield* printItems(items, isJson, (one) => [one.name, one.url, one.token])
  }, withContexts),
).pipe(Command.withDescription("Prints the contexts of this user: name, URL, origin of the token"))

const contextName = Argument.String("name").pipe(
  Argument.withDescription("the name for --context, for example production"),
  Argument.filter(
    (text) => /^[\w.-]{1,64}$/.test(text),
    (text) => `the name of a context has up to 64 letters, digits, ".", "-" and "_", but is ${text}`,
  ),
)
const addContext = Command.make(
  "add-context",
  {
    name: contextName,
    url: Flag.String("url").pipe(
      Flag.withDescription("URL of the installation"),
      Flag.withMetavar("URL"),
      Flag.filter(
        (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
        (text) => `--url must be an http or https URL, but is ${text}`,
      ),
    ),
    token: Flag.String("token").pipe(
      Flag.withDescription("a token with the role operator, stored in the file"),
      Flag.withMetavar("JWT"),
      Flag.optional,
    ),
    tokenFile: Flag.String("token-file").pipe(
      Flag.withDescription("a file that contains the token, read at each use"),
      Flag.withMetavar("FILE"),
      Flag.optional,
    ),
  },
  Effect.fn("operator.add-context")(function* ({ name: newName, token, tokenFile, url }) {
    const { path, put } = yield* Contexts
    if (Option.isSome(token) && Option.isSome(tokenFile)) {
      return yield* usageFailure("use either --token or --token-file, not both")
    }
    const { resolve } = yield* Path.Path
    yield* put(newName, {
      url,
      ...(Option.isNone(token) ? {} : { token: token.value }),
      ...(Option.isNone(tokenFile) ? {} : { token_file: resolve(tokenFile.value) }),
    })
    yield* printRow("added", newName, path)
  }, withContexts),
).pipe(Command.withDescription("Adds or replaces a context in contexts.json"))

const removeContext = Command.make(
  "remove-context",
  { name: contextName },
  Effect.fn("operator.remove-context")(function* ({ name: oldName }) {
    yield* (yield* Contexts).remove(oldName)
    yield* printRow("removed", oldName)
  }, withContexts),
).pipe(Command.withDescription("Removes a context from contexts.json"))

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
    ...Notifications.commands,
    reviews,
    approve,
    remove,
    logLevel,
    audit,
    tail,
    contexts,
    addContext,
    removeContext,
  ]),
)

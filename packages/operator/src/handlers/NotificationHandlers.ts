/** Workflow runs, audience sends and templates; what a user receives. Commands go to `notify` as internal work. */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type AudienceSend, membersOf, percentOf } from "@armoricore/domain/Audience"
import type { PayloadOf } from "@armoricore/domain/EventRegistry"
import { type NotificationCommand, notificationCommandKind } from "@armoricore/domain/NotificationCommand"
import { audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import * as WorkflowRunReader from "@armoricore/state/WorkflowRunReader"
import { NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { Effect, Option, Schema } from "effect"
import { ActionRejected } from "../api/Errors.ts"
import type { AudienceSendInfo, TemplateRequest, WorkflowRunFilter } from "../api/Notification.ts"
import * as NodeRequests from "../NodeRequests.ts"
import * as NotificationReader from "../NotificationReader.ts"
import { clampLimit, mapErrors, notFound } from "./Errors.ts"
import * as WorkflowRunInfo from "./WorkflowRunInfo.ts"

type RunFilter = Schema.Struct.Type<typeof WorkflowRunFilter>

const maxRunsOfUser = 20
const [defaultLimit, maxLimit] = [50, 200]

export const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const nodeRpc = yield* NodeRpc
  const reader = yield* WorkflowRunReader.make
  const sends = yield* Collection.make(audienceSends)
  const notifications = yield* NotificationReader.make

  const command = Effect.fnUntraced(function* (payload: NotificationCommand) {
    const id = crypto.randomUUID()
    const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
    yield* bus.publish({ address: work("notify", notificationCommandKind), id, body })
    return id
  })

  const listRuns = Effect.fn("NotificationHandlers.listRuns")(function* ({ limit, ...filter }: RunFilter) {
    const page = yield* reader.list({ ...filter, limit: clampLimit(limit, defaultLimit, maxLimit) })
    return { workflows: yield* reader.workflowNames, runs: page.runs.map(WorkflowRunInfo.infoOf) }
  })

  const getRun = Effect.fn("NotificationHandlers.getRun")(function* (id: string) {
    const run = yield* reader.get(id)
    if (run === undefined) return yield* notFound("workflow run", id)
    const ids = Object.entries(run.sent)
    const sent = yield* Effect.forEach(ids, ([name, one]) =>
      Effect.map(notifications.get(one), (info) => [name, info] as const),
    )
    return WorkflowRunInfo.detailOf(run, new Map(sent))
  })

  const retryRun = Effect.fnUntraced(function* (id: string) {
    const run = yield* reader.get(id)
    if (run === undefined) return yield* notFound("workflow run", id)
    if (run.status !== "failed")
      return yield* new ActionRejected({
        code: "not_failed",
        message: `this run is ${run.status}; only a failed one can be retried`,
      })
    yield* command({ action: "retry_run", run_id: id })
  })

  const cancel = Effect.fnUntraced(function* (id: string) {
    const known = (yield* reader.get(id)) ?? Option.getOrUndefined(yield* sends.get(id))?.value
    const state = known ?? (yield* notifications.get(id))
    if (state === undefined) return yield* notFound("notification", id)
    if (["done", "cancelled", "sent"].includes(state.status))
      return yield* new ActionRejected({
        code: "too_late",
        message: `this is ${state.status}; there is nothing to cancel`,
      })
    yield* command({ action: "cancel", id })
  })

  const listSends = Effect.fn("NotificationHandlers.listSends")(function* () {
    const found: Array<AudienceSend> = []
    yield* Collection.forEach(sends, ({ value }) => Effect.sync(() => void found.push(value)))
    return found
      .toSorted((a, b) => Date.parse(b.started_at) - Date.parse(a.started_at))
      .slice(0, maxLimit)
      .map(toSendInfo)
  })

  /** The first answer: every process of `notify` has the same templates. */
  const preview = Effect.fn("NotificationHandlers.preview")(function* (request: typeof TemplateRequest.Type) {
    const { failures, replies } = yield* nodeRpc.call(NodeRequests.previewTemplate, request)
    const [answer] = replies
    if (answer !== undefined) return answer.value
    const [failure] = failures
    return yield* new ActionRejected({
      code: failure === undefined ? "not_found" : "template",
      message: failure?.message ?? "no process runs the notify service",
    })
  })

  const procedures = {
    ListWorkflowRuns: (filter: RunFilter) => mapErrors(listRuns(filter)),
    GetWorkflowRun: ({ run_id }: { run_id: string }) => mapErrors(getRun(run_id)),
    RetryWorkflowRun: ({ run_id }: { run_id: string }) => mapErrors(retryRun(run_id)),
    CancelNotification: ({ id }: { id: string }) => mapErrors(cancel(id)),
    ListAudienceSends: () => mapErrors(listSends()),
    ListTemplates: () =>
      mapErrors(
        Effect.map(nodeRpc.call(NodeRequests.templateNames, undefined), ({ replies }) => replies[0]?.value ?? []),
      ),
    PreviewTemplate: (request: typeof TemplateRequest.Type) => mapErrors(preview(request)),
    AddTestNotification: ({ request }: { request: PayloadOf<"notification.requested"> }) =>
      mapErrors(Effect.map(command({ action: "send", request }), (notification_id) => ({ notification_id }))),
  }
  return {
    procedures,
    runsOf: (userId: string) => Effect.map(listRuns({ user_id: userId, limit: maxRunsOfUser }), ({ runs }) => runs),
  }
})

const Titled = Schema.fromJsonString(
  Schema.Struct({ title: Schema.optionalKey(Schema.String), workflow: Schema.optionalKey(Schema.String) }),
)
const decodeTitled = Schema.decodeUnknownOption(Titled)

const toSendInfo = (send: AudienceSend): AudienceSendInfo => {
  const { audience, payload, send_id, started_at, status, updated_at } = send
  const { title, workflow } = Option.getOrElse(decodeTitled(payload), (): typeof Titled.Type => ({}))
  return {
    send_id,
    audience,
    status,
    title: title ?? workflow ?? "",
    members: membersOf(send),
    percent: percentOf(send),
    started_at,
    updated_at,
  }
}

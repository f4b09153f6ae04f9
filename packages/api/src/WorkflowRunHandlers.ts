/** `/v1/workflow-runs`: what became of the requests with a workflow. Commands go to `notify` as internal work. */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { WorkflowName } from "@armoricore/domain/events/notification"
import { UserId } from "@armoricore/domain/Ids"
import { type NotificationCommand, notificationCommandKind } from "@armoricore/domain/NotificationCommand"
import type { SigningKeys } from "@armoricore/domain/Signature"
import { isOpenRun, RunStatus, runStatuses, type WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { currentStepOf, stepsOf, waitsUntil } from "@armoricore/domain/WorkflowRunSteps"
import * as Collection from "@armoricore/state/Collection"
import { aliasKeyOf, notificationAliases, notificationStates } from "@armoricore/state/NotificationStates"
import * as WorkflowRunReader from "@armoricore/state/WorkflowRunReader"
import { Effect, Option, Schema } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import type { RunResponse, RunSummary } from "./contract/WorkflowRunApi.ts"
import { type ApiError, asProblem, problem } from "./Problem.ts"
import { authenticatedBody } from "./PublisherAuthentication.ts"
import { wholeNumber } from "./QueryNumber.ts"

type Request = HttpServerRequest.HttpServerRequest

interface ListQuery {
  readonly workflow?: string
  readonly user_id?: string
  readonly status?: string
  readonly after?: string
  readonly limit?: string
}

const [defaultLimit, maxLimit, maxRequestBytes] = [50, 200, 16_384]
const isStatus = Schema.is(RunStatus)
const isUserId = Schema.is(UserId)
const isWorkflow = Schema.is(WorkflowName)

export const layer = ({ signingKeys }: { readonly signingKeys: SigningKeys }) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "workflowRuns",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<Tokens | Revocations>()
      const bus = yield* EventBus
      const reader = yield* WorkflowRunReader.make
      const aliases = yield* Collection.make(notificationAliases)
      const notifications = yield* Collection.make(notificationStates)
      const respond = <A>(handler: Effect.Effect<A, ApiError, Tokens | Revocations>) =>
        asProblem(Effect.provideContext(handler, context))

      const authorized = (request: Request) =>
        authenticatedBody(request, { signingKeys, roles: ["publisher", "operator"], maxBytes: maxRequestBytes })

      const find = Effect.fnUntraced(function* (id: string) {
        const known = id.toLowerCase()
        // Ids of another form are no keys of the state.
        const isId = /^[0-9a-z._-]{1,200}$/.test(known)
        const found = isId ? yield* reader.get(known) : undefined
        const alias = isId && found === undefined ? yield* aliases.get(aliasKeyOf(known)) : Option.none()
        const run = Option.isSome(alias) ? yield* reader.get(alias.value.value.notification_id) : found
        if (run !== undefined) return run
        return yield* problem(404, "not_found", "no workflow run with this id is known; runs expire after 120 days")
      })

      const list = Effect.fn("WorkflowRunApi.list")(function* (request: Request, query: ListQuery) {
        yield* authorized(request)
        const { after, status, user_id, workflow } = query
        const limit = (yield* wholeNumber("limit", query.limit, 1, maxLimit)) ?? defaultLimit
        if (status !== undefined && !isStatus(status))
          return yield* problem(422, "invalid", `status must be one of ${runStatuses.join(", ")}`, "status")
        if (user_id !== undefined && !isUserId(user_id))
          return yield* problem(
            422,
            "invalid",
            "user_id must have 1 to 128 characters without white space or control characters",
            "user_id",
          )
        if (workflow !== undefined && !isWorkflow(workflow))
          return yield* problem(422, "invalid", "workflow must have 1 to 64 characters of A-Z a-z 0-9 _ -", "workflow")
        if (after !== undefined && !WorkflowRunReader.isCursor(after))
          return yield* problem(422, "invalid_cursor", "after is not a cursor; use next of the previous page", "after")
        const { next, runs } = yield* reader.list({ workflow, user_id, status, after, limit })
        return HttpServerResponse.jsonUnsafe({ runs: runs.map(summaryOf), ...(next === undefined ? {} : { next }) })
      })

      const get = Effect.fn("WorkflowRunApi.get")(function* (request: Request, id: string) {
        yield* authorized(request)
        const run = yield* find(id)
        const statusOf = (notification_id: string) =>
          Effect.map(notifications.get(notification_id), (found) => Option.getOrUndefined(found)?.value.status)
        const steps = yield* Effect.forEach(
          stepsOf(run),
          Effect.fnUntraced(function* ({ instruction, state, text }) {
            if (instruction.op !== "send") return { text, state }
            const { name } = instruction
            const notification_id = Object.hasOwn(run.sent, name) ? run.sent[name] : undefined
            if (notification_id === undefined) return { text, state, name }
            const notification_status = yield* statusOf(notification_id)
            return {
              text,
              state,
              name,
              notification_id,
              ...(notification_status === undefined ? {} : { notification_status }),
            }
          }),
          { concurrency: 8 },
        )
        return HttpServerResponse.jsonUnsafe({ ...summaryOf(run), steps } satisfies RunResponse)
      })

      /** The message id depends on the command and the state, so a repeated request is a duplicate for the bus. */
      const enqueue = Effect.fnUntraced(function* (command: NotificationCommand, { run_id, updated_at }: WorkflowRun) {
        const id = deriveId("workflow-run", command.action, run_id, updated_at)
        const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload: command }))
        yield* bus.publish({ address: work("notify", notificationCommandKind), id, body })
        return HttpServerResponse.jsonUnsafe({ run_id }, { status: 202 })
      })

      const retry = Effect.fn("WorkflowRunApi.retry")(function* (request: Request, id: string) {
        yield* authorized(request)
        const run = yield* find(id)
        if (run.status === "failed") return yield* enqueue({ action: "retry_run", run_id: run.run_id }, run)
        return yield* problem(409, "not_failed", `this run is ${run.status}; only a failed run can be retried`)
      })

      const cancel = Effect.fn("WorkflowRunApi.cancel")(function* (request: Request, id: string) {
        yield* authorized(request)
        const run = yield* find(id)
        if (isOpenRun(run) || run.status === "digested")
          return yield* enqueue({ action: "cancel", id: run.run_id }, run)
        return yield* problem(409, "too_late", `this run is ${run.status}; there is nothing to cancel`)
      })

      return handlers
        .handleRaw("list", ({ query, request }) => respond(list(request, query)))
        .handleRaw("get", ({ params, request }) => respond(get(request, params.id)))
        .handleRaw("retry", ({ params, request }) => respond(retry(request, params.id)))
        .handleRaw("cancel", ({ params, request }) => respond(cancel(request, params.id)))
    }),
  )

const summaryOf = (run: WorkflowRun): RunSummary => {
  const { category, error, run_id, started_at, status, updated_at, user_id, workflow } = run
  const waits_until = waitsUntil(run)
  return {
    run_id,
    workflow,
    user_id,
    ...(category === undefined ? {} : { category }),
    status,
    step: currentStepOf(run),
    ...(waits_until === undefined ? {} : { waits_until }),
    ...(error === undefined ? {} : { error }),
    started_at,
    updated_at,
  }
}

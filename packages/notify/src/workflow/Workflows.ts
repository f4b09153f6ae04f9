/**
 * Runs workflows. A run is a document with the position of its next instruction; a work message carries out one instruction,
 * moves the position, and sends the next message:
 *
 *     do the instruction → write the next position → send the next work message → ack
 *
 * Every id derives from the run and the position, so that a repetition after a crash sends the same messages and the same
 * notifications, which the bus and the notifications recognise. Waits are scheduled work (see `ScheduledWork`): they hold
 * nothing and survive every restart.
 */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import { Failure } from "@armoricore/domain/events/failure"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import * as Timestamp from "@armoricore/domain/Timestamp"
import {
  type Instruction,
  isOpenRun as isOpen,
  type SendInstruction,
  type WorkflowRun,
} from "@armoricore/domain/WorkflowRun"
import * as Collection from "@armoricore/state/Collection"
import { listingKeys, runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import type { HandlerError } from "@armoricore/worker/Handler"
import type { ResultMessage, WorkEnvelope } from "@armoricore/worker/ResultMessage"
import * as ScheduledWork from "@armoricore/worker/ScheduledWork"
import { Clock, Context, Effect, Option, Schema } from "effect"
import { Notifications } from "../request/Notifications.ts"
import { UnreadBadge } from "../request/UnreadBadge.ts"
import * as WorkKinds from "../WorkKinds.ts"
import * as Cancellation from "./Cancellation.ts"
import * as Conditions from "./Conditions.ts"
import * as Digests from "./Digests.ts"
import { childIdOf, childRequest } from "./StepRequest.ts"
import type { CompiledWorkflow } from "./WorkflowFiles.ts"

/** The workflows of `NOTIFY_WORKFLOWS`. */
export const WorkflowRegistry = Context.Reference<ReadonlyMap<string, CompiledWorkflow>>(
  "@armoricore/notify/WorkflowRegistry",
  { defaultValue: () => new Map() },
)

export const StepRequest = Schema.Struct({
  run_id: Schema.String,
  position: Schema.Int,
  /** All attempts failed: the run waits for an operator. */
  failure: Schema.optionalKey(Failure),
})

type Requested = EventOf<"notification.requested">
type Results = ReadonlyArray<ResultMessage>

/** How often the outcome of a step is looked up: a quarter of the time waited so far, within these limits. */
const [minPollMillis, maxPollMillis] = [1_000, 60_000]

export interface WorkflowDependencies {
  /** Handles the request of one step as a request of its own. */
  readonly request: (event: Requested, bytes: number) => Effect.Effect<Results, HandlerError>
  /** Cancels the notification of a step, later and by a cause of its own. */
  readonly cancelNotification: (id: string) => Effect.Effect<void, HandlerError>
}

export const make = ({ cancelNotification, request }: WorkflowDependencies) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const registry = yield* WorkflowRegistry
    const runs = yield* Collection.make(workflowRuns)
    const listings = yield* Collection.make(runListings)
    const notifications = yield* Notifications
    const badges = yield* UnreadBadge
    const scheduled = yield* ScheduledWork.make("notify")
    const conditions = yield* Conditions.make
    const digests = yield* Digests.make
    const cancellation = yield* Cancellation.make({ digests, cancelNotification })

    const envelopeOf = ({ request_id, run_id }: WorkflowRun, position: number): WorkEnvelope => ({
      // A cause of its own for each step: the results of two steps have different ids.
      cause_id: deriveId("workflow-step", run_id, String(position)),
      ...(request_id === undefined ? {} : { request_id }),
      payload: { run_id, position } satisfies typeof StepRequest.Type,
    })

    const publishStep = (run: WorkflowRun): Effect.Effect<void, HandlerError> =>
      run.status !== "running"
        ? Effect.void
        : Effect.asVoid(
            bus.publish({
              address: work("notify", WorkKinds.workflowStep),
              id: deriveId("workflow-message", run.run_id, String(run.position)),
              body: new TextEncoder().encode(JSON.stringify(envelopeOf(run, run.position))),
            }),
          )

    const change = (run: WorkflowRun, fields: Partial<WorkflowRun>) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        runs.modifyOrRetry(run.run_id, (found) =>
          Effect.sync((): Collection.Decision<WorkflowRun, WorkflowRun> => {
            const current = Option.getOrUndefined(found)?.value
            if (current === undefined || !isOpen(current) || current.position !== run.position)
              return [current ?? run, Option.none()]
            const next = { ...current, ...fields, updated_at: new Date(now).toISOString() }
            return [next, Option.some(next)]
          }),
        ),
      )

    /** Moves to another position, and starts it. */
    const move = Effect.fnUntraced(function* (run: WorkflowRun, position: number, fields: Partial<WorkflowRun> = {}) {
      const { wake_at: _wake, ...current } = run
      const status = position >= run.instructions.length ? "done" : "running"
      const now = new Date(yield* Clock.currentTimeMillis).toISOString()
      const next = yield* runs.modifyOrRetry(run.run_id, (found) =>
        Effect.sync((): Collection.Decision<WorkflowRun, WorkflowRun> => {
          const stored = Option.getOrUndefined(found)?.value
          if (stored === undefined || stored.status !== "running" || stored.position !== run.position)
            return [stored ?? run, Option.none()]
          const moved: WorkflowRun = { ...current, ...fields, position, status, updated_at: now }
          return [moved, Option.some(moved)]
        }),
      )
      yield* publishStep(next)
      return next
    })

    /** Waits until `at`, then handles the same instruction again. */
    const wake = (run: WorkflowRun, at: number): Effect.Effect<void, HandlerError> =>
      scheduled.schedule(
        WorkKinds.workflowStep,
        `${run.run_id}.${run.position}.${at}`,
        at,
        envelopeOf(run, run.position),
      )

    /** The time at which the wait of the current instruction ends; the first call decides. */
    const deadlineOf = Effect.fnUntraced(function* (run: WorkflowRun, millis: number, now: number) {
      if (run.wake_at !== undefined) return run.wake_at
      const { wake_at = now + millis } = yield* change(run, { wake_at: now + millis })
      return wake_at
    })

    /** The badge `unread` counts the in-app items of this run even if the inbox has not stored them yet. */
    const withBadge = Effect.fnUntraced(function* (run: WorkflowRun, { type }: SendInstruction) {
      const { push } = run.content
      if (type !== "push" || push?.badge !== "unread") return run
      const states = yield* Effect.forEach(Object.values(run.sent), notifications.refresh)
      const items = states
        .flatMap(Option.toArray)
        .flatMap(({ deliveries, notification_type }) => (notification_type === "in_app" ? deliveries : []))
        .flatMap(({ delivery_id, summary }) => (summary?.status === "sent" ? [delivery_id] : []))
      const badge = yield* badges.count(run.user_id, items)
      return { ...run, content: { ...run.content, push: { ...push, badge } } }
    })

    const send = Effect.fnUntraced(function* (run: WorkflowRun, position: number, instruction: SendInstruction) {
      const event = yield* childRequest(yield* withBadge(run, instruction), position, instruction)
      return { event, results: yield* request(event, JSON.stringify(event.payload).length) }
    })

    const carryOut = Effect.fnUntraced(function* (
      run: WorkflowRun,
      instruction: Instruction,
    ): Effect.fn.Return<Results, HandlerError> {
      const next = run.position + 1
      const now = yield* Clock.currentTimeMillis
      switch (instruction.op) {
        case "send": {
          const { event, results } = yield* send(run, run.position, instruction)
          const moved = yield* move(run, next, { sent: { ...run.sent, [instruction.name]: event.event_id } })
          // The run was cancelled meanwhile: what waits, for example for the end of quiet hours, is cancelled too.
          if (moved.status === "cancelled") yield* cancelNotification(event.event_id)
          return results
        }
        case "jump":
          yield* move(run, instruction.to)
          return []
        case "jump_unless":
          yield* move(run, (yield* conditions.holds(run, instruction.condition)) ? next : instruction.to)
          return []
        case "delay": {
          const deadline = yield* deadlineOf(run, instruction.millis, now)
          yield* now < deadline ? wake(run, deadline) : move(run, next)
          return []
        }
        case "await": {
          const deadline = yield* deadlineOf(run, instruction.millis, now)
          const outcome = yield* conditions.outcomeOf(run, instruction.name)
          if (conditions.reached(outcome, instruction.outcome)) yield* move(run, instruction.to)
          else if (outcome === "failed" || now >= deadline) yield* move(run, next)
          else {
            const waited = now - (deadline - instruction.millis)
            const poll = Math.min(maxPollMillis, Math.max(minPollMillis, waited / 4))
            yield* wake(run, Math.ceil(Math.min(deadline, now + poll)))
          }
          return []
        }
        case "digest": {
          const key = Digests.keyOf(run, instruction.key)
          if (run.wake_at !== undefined && now >= run.wake_at) {
            const digest = yield* digests.close(run, key)
            if (digest.length === 0) yield* change(run, { status: "cancelled" })
            else yield* move(run, next, { digest, digest_key: key })
            yield* digests.remove(run, key)
            return []
          }
          // A cancellation finds the digest by its key, so the key is stored first.
          if ((yield* change(run, { digest_key: key })).status !== "running") return []
          const open = yield* digests.join(run, key, now, instruction.millis)
          const isLeader = open.run_id === run.run_id
          const joined = yield* change(run, {
            digest_key: key,
            ...(isLeader ? { wake_at: open.closes_at } : { status: "digested", digest_leader: open.run_id }),
          })
          if (joined.status === "cancelled" && !(yield* cancellation.leaveDigest(joined, open.closes_at))) return []
          if (isLeader) yield* wake(run, open.closes_at)
          return []
        }
      }
    })

    /** A failed run that is handled again runs again. */
    const reopened = Effect.fnUntraced(function* (run: WorkflowRun) {
      if (run.status !== "failed") return run
      const now = new Date(yield* Clock.currentTimeMillis).toISOString()
      return yield* runs.modifyOrRetry(run.run_id, (found) =>
        Effect.sync((): Collection.Decision<WorkflowRun, WorkflowRun> => {
          const stored = Option.getOrUndefined(found)?.value
          if (stored === undefined || stored.status !== "failed") return [stored ?? run, Option.none()]
          const { error: _error, ...rest } = stored
          const next: WorkflowRun = { ...rest, status: "running", updated_at: now }
          return [next, Option.some(next)]
        }),
      )
    })

    const handle = Effect.fnUntraced(function* ({
      failure,
      position,
      run_id,
    }: typeof StepRequest.Type): Effect.fn.Return<Results, HandlerError> {
      const found = Option.getOrUndefined(yield* runs.get(run_id))?.value
      const instruction = found?.instructions[position]
      if (found === undefined || instruction === undefined || position > found.position) return []
      if (failure !== undefined) {
        if (position === found.position) yield* change(found, { status: "failed", error: failure })
        return []
      }
      const run = position === found.position ? yield* reopened(found) : found
      if (position === run.position && run.status === "running") return yield* carryOut(run, instruction)
      // The worker before moved the run and stopped: what it did not finish is done again, under the same ids.
      if (instruction.op === "digest" && run.digest_key !== undefined) yield* digests.remove(run, run.digest_key)
      if (run.status === "cancelled") {
        if (instruction.op === "send") yield* cancelNotification(childIdOf(run, position))
        return []
      }
      yield* publishStep(run)
      return instruction.op === "send" ? (yield* send(run, position, instruction)).results : []
    })

    const start = Effect.fnUntraced(function* (event: Requested): Effect.fn.Return<Results, HandlerError> {
      const { payload } = event
      const run_id = notificationIdOf(event)
      const workflow = registry.get(payload.workflow ?? "")
      const now = yield* Clock.currentTimeMillis
      const at = new Date(now).toISOString()
      // A repetition lists the run under the same keys.
      const started_at = new Date(Timestamp.toMillis(event.timestamp)).toISOString()
      yield* notifications.alias(event.event_id, run_id)
      if (workflow === undefined) {
        const known = registry.size === 0 ? "NOTIFY_WORKFLOWS names no folder" : [...registry.keys()].join(", ")
        yield* notifications.create({
          notification_id: run_id,
          user_id: payload.user_id,
          notification_type: payload.notification_type ?? "in_app",
          status: "pending",
          source_event_id: event.event_id,
          ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
          content: { title: "", text: "", data: {} },
          deliveries: [],
          error: { code: "unknown_workflow", message: `there is no workflow ${payload.workflow}; known: ${known}` },
          requested_at: now,
          updated_at: at,
        })
        return yield* notifications.finalize(run_id)
      }
      const { actor, app, locale, push, template } = payload
      const category = payload.category ?? workflow.category
      const run: WorkflowRun = {
        run_id,
        workflow: workflow.name,
        ...(category === undefined ? {} : { category }),
        user_id: payload.user_id,
        source_event_id: event.event_id,
        ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
        content: {
          title: payload.title ?? "",
          body: payload.body ?? "",
          data: payload.data ?? {},
          context: payload.context ?? {},
          ...(template === undefined ? {} : { template }),
          ...(locale === undefined ? {} : { locale }),
          ...(actor === undefined ? {} : { actor }),
          ...(app === undefined ? {} : { app }),
          ...(push === undefined ? {} : { push }),
          recipients: payload.recipients ?? [],
        },
        instructions: workflow.instructions,
        position: 0,
        status: "running",
        sent: {},
        started_at,
        updated_at: at,
      }
      yield* Effect.forEach(listingKeys(run), (key) => listings.put(key, { run_id }), { discard: true })
      const stored = yield* runs.modifyOrRetry(run_id, (found) =>
        Effect.succeed<Collection.Decision<WorkflowRun, WorkflowRun>>(
          Option.match(found, {
            onNone: () => [run, Option.some(run)] as const,
            onSome: ({ value }) => [value, Option.none()] as const,
          }),
        ),
      )
      const sendAt = payload.send_at === undefined ? 0 : Timestamp.toMillis(payload.send_at)
      yield* stored.position === 0 && sendAt > now ? wake(stored, sendAt) : publishStep(stored)
      return []
    })

    /** Handles the instruction at which a failed run stopped again. False: there is no such failed run. */
    const retry = Effect.fnUntraced(function* (id: string, cause: string): Effect.fn.Return<boolean, HandlerError> {
      const run = Option.getOrUndefined(yield* runs.get(id))?.value
      if (run === undefined || run.status !== "failed") return false
      // An id of its own: the message of the first attempts has been handled.
      yield* bus.publish({
        address: work("notify", WorkKinds.workflowStep),
        id: deriveId("workflow-retry", cause),
        body: new TextEncoder().encode(JSON.stringify({ ...envelopeOf(run, run.position), cause_id: cause })),
      })
      return true
    })

    return { start, handle, retry, cancel: cancellation.cancel, cancelMatching: cancellation.cancelMatching }
  })

/** The notify service with workflows from texts, for tests on virtual time. */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as Collection from "@armoricore/state/Collection"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { workflowRuns } from "@armoricore/state/WorkflowRuns"
import { ScheduledWorkInterval } from "@armoricore/worker/ScheduledWork"
import { Clock, Duration, Effect, Layer, Option } from "effect"
import type { ProviderRegistry } from "../../src/provider/Provider.ts"
import type { Template } from "../../src/request/Templates.ts"
import * as WorkflowFiles from "../../src/workflow/WorkflowFiles.ts"
import { WorkflowRegistry } from "../../src/workflow/Workflows.ts"
import { fastTimings, ports, publishRequest, service } from "./NotifyHarness.ts"

const registryOf = (files: ReadonlyArray<string>) =>
  Layer.effect(
    WorkflowRegistry,
    Effect.map(
      Effect.forEach(files, (text) => Effect.orDie(WorkflowFiles.parse(text))),
      (all) => new Map(all.map((workflow) => [workflow.name, workflow])),
    ),
  )

export const notifyService = (
  routes: Layer.Layer<never, never, ProviderRegistry | EventBus>,
  files: ReadonlyArray<string>,
  { templates = [] }: { readonly templates?: ReadonlyArray<Template> } = {},
) =>
  service(routes, {
    templates,
    // Days pass: nothing may happen every few milliseconds.
    rules: Layer.mergeAll(fastTimings, registryOf(files), Layer.succeed(ScheduledWorkInterval, Duration.minutes(1))),
  }).pipe(Layer.provideMerge(Layer.provideMerge(Layer.mergeAll(UserPreferences.layer, UserInbox.layer), ports)))

export const trigger = (workflow: string, fields: object = {}) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    publishRequest(
      { notification_type: null, title: null, body: "text", workflow, ...fields },
      { timestamp: new Date(now).toISOString() },
    ),
  )

export const runOf = (id: string) =>
  Effect.flatMap(Collection.make(workflowRuns), (runs) =>
    Effect.map(runs.get(id), (found) => Option.getOrUndefined(found)?.value),
  )

export const cancel = Effect.fnUntraced(function* (payload: object) {
  const bus = yield* EventBus
  const event_id = crypto.randomUUID()
  const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString()
  const body = { event_type: "notification.cancelled", event_id, timestamp, source: "php-backend", payload }
  yield* bus.publish({
    address: event("notification.cancelled"),
    id: event_id,
    body: new TextEncoder().encode(JSON.stringify(body)),
  })
})

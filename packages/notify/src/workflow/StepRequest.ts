/** The request of one step of a workflow: what a backend would publish for it. */
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type { SendInstruction, WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { Clock, Effect } from "effect"
import { targetOf, typeOf } from "../request/Target.ts"

/** The id of the notification derives from the run and the position, so a repetition is the same notification. */
export const childIdOf = ({ run_id }: WorkflowRun, position: number): string =>
  deriveId("workflow-notification", run_id, String(position))

export const childRequest = (
  run: WorkflowRun,
  position: number,
  step: SendInstruction,
): Effect.Effect<EventOf<"notification.requested">> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const { actor, app, context, data, locale, push, recipients } = run.content
    const template = step.template ?? run.content.template
    const digest = run.digest ?? []
    const ofType = recipients.filter((recipient) => typeOf(targetOf(recipient).channel) === step.type)
    return {
      event_type: "notification.requested",
      event_id: childIdOf(run, position),
      timestamp: new Date(now).toISOString(),
      source: "notify",
      ...(run.request_id === undefined ? {} : { request_id: run.request_id }),
      payload: {
        user_id: run.user_id,
        notification_type: step.type,
        title: step.title ?? digest.at(-1)?.title ?? run.content.title,
        body: step.body ?? (digest.length === 0 ? run.content.body : digest.map(({ body }) => body).join("\n")),
        data: digest.length === 0 ? data : { ...data, digest_count: digest.length },
        ...(template === undefined ? {} : { template }),
        context: digest.length === 0 ? context : { ...context, digest: { count: digest.length, items: digest } },
        ...(run.category === undefined ? {} : { category: run.category }),
        ...(locale === undefined ? {} : { locale }),
        ...(actor === undefined ? {} : { actor }),
        ...(app === undefined ? {} : { app }),
        ...(push === undefined || step.type !== "push" ? {} : { push }),
        ...(ofType.length === 0 ? {} : { recipients: ofType }),
      },
    }
  })

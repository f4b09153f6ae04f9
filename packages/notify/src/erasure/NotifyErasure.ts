/** The stores of `notify` with data of users. A new one is one more entry here. */
import * as Address from "@armoricore/bus/Address"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import type { AudienceSend } from "@armoricore/domain/Audience"
import type { NotificationState } from "@armoricore/domain/NotificationState"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { aliasKeyOf, deliveryStates, inboxMessages, notificationStates } from "@armoricore/state/NotificationStates"
import { KeyValue } from "@armoricore/state/KeyValue"
import { digests, listingKeys, runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { makeForgetEvidence } from "@armoricore/state/SuppressionList"
import type { ErasureStore } from "@armoricore/worker/erasure/ErasureStore"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import * as ChunkRecord from "../audience/ChunkRecord.ts"
import { Effect, Option, Schema } from "effect"

export const makeStores = Effect.gen(function* () {
  const notifications = yield* Collection.make(notificationStates)
  const runs = yield* Collection.make(workflowRuns)
  const openDigests = yield* Collection.make(digests)
  const sends = yield* Collection.make(audienceSends)
  const chunks = yield* Collection.make(audienceChunks)
  const mailbox = yield* Collection.make(inboxMessages)
  const forgetEvidence = yield* makeForgetEvidence
  const state = yield* KeyValue
  const ledger = yield* Ledger
  /** Deliveries, push batches and aliases have different schemas, so they are removed by their keys. */
  const removeParts = Effect.fnUntraced(function* (prefix: string) {
    for (;;) {
      const entries = yield* state.list(deliveryStates.bucket, { prefix, limit: partsPage })
      for (const { key } of entries) yield* Collection.retryConflicts(state.remove(deliveryStates.bucket, key))
      if (entries.length < partsPage) return
    }
  })

  /** The parts go first: the notification names them, which a repetition needs to find. */
  const removeNotification = Effect.fnUntraced(function* (notification: NotificationState) {
    const { notification_id: id, source_event_id: eventId } = notification
    yield* removeParts(`${id}.`)
    yield* removeParts(aliasKeyOf(eventId))
    yield* ledger.remove(`${requestConsumer}.${eventId}`)
    yield* Collection.retryConflicts(notifications.remove(id))
  })

  const ofNotifications: ErasureStore = {
    name: "notifications",
    erase: Effect.fn("NotifyErasure.notifications")(function* ({ userId }) {
      let removed = 0
      yield* Collection.forEach(notifications, ({ value }) =>
        value.user_id === userId
          ? Effect.andThen(
              removeNotification(value),
              Effect.sync(() => void removed++),
            )
          : Effect.void,
      )
      return removed
    }),
  }

  /** Before the notifications, which name the addresses. */
  const ofSuppressions: ErasureStore = {
    name: "suppression_reasons",
    erase: Effect.fn("NotifyErasure.suppressions")(function* ({ userId }) {
      let removed = 0
      yield* Collection.forEach(notifications, ({ value }) =>
        Effect.gen(function* () {
          if (value.user_id !== userId) return
          for (const { target } of value.deliveries) {
            if (target.channel !== "email") continue
            removed += yield* forgetEvidence(target.address)
          }
        }),
      )
      return removed
    }),
  }

  const ofMailbox: ErasureStore = {
    name: "mailbox",
    erase: Effect.fn("NotifyErasure.mailbox")(function* ({ userId }) {
      let removed = 0
      yield* Collection.forEach(mailbox, ({ key, value }) =>
        value.user_id === userId
          ? Effect.andThen(
              Collection.retryConflicts(mailbox.remove(key)),
              Effect.sync(() => void removed++),
            )
          : Effect.void,
      )
      return removed
    }),
  }

  /** A send that runs ends: its next chunk finds no request. */
  const ofAudienceSends: ErasureStore = {
    name: "audience_sends",
    erase: Effect.fn("NotifyErasure.audienceSends")(function* ({ userId }) {
      let removed = 0
      yield* Collection.forEach(sends, ({ key, revision, value }) =>
        Effect.gen(function* () {
          if (senderOf(value.payload) === userId) yield* Collection.retryConflicts(sends.remove(key))
          // A send that was stopped at this member needs its position no more; one that runs moves on.
          else if (value.status !== "running" && value.lanes.some(({ after }) => after === userId))
            yield* Collection.retryConflicts(sends.update(key, withoutPositions(value), revision))
          else return
          removed++
        }),
      )
      return removed
    }),
  }

  /** The place of the member stays, because the ids of the others name theirs. */
  const ofAudienceChunks: ErasureStore = {
    name: "audience_chunks",
    erase: Effect.fn("NotifyErasure.audienceChunks")(function* ({ userId }) {
      let removed = 0
      // A document has hundreds of members.
      yield* Collection.forEach(
        chunks,
        ({ key, revision, value }) => {
          const next = ChunkRecord.withoutUser(value, userId)
          return next === undefined
            ? Effect.void
            : Effect.map(Collection.retryConflicts(chunks.update(key, next, revision)), () => void removed++)
        },
        "",
        chunkPage,
      )
      return removed
    }),
  }

  /**
   * A digest has the texts of its runs, and a crash may have come between the digest and the run that names it. Its first run
   * names the user. A digest whose first run is gone is never closed.
   */
  const removeDigest = Effect.fnUntraced(function* (key: string, userId: string) {
    const digest = Option.getOrUndefined(yield* openDigests.get(key))
    if (digest === undefined) return false
    const first = Option.getOrUndefined(yield* runs.get(digest.value.run_id))
    // One that its run names is removed with the run.
    if (first !== undefined && (first.value.user_id !== userId || first.value.digest_key === key)) return false
    yield* Collection.retryConflicts(openDigests.remove(key))
    return true
  })

  const ofWorkflows: ErasureStore = {
    name: "workflow_runs",
    erase: Effect.fn("NotifyErasure.workflows")(function* ({ userId }) {
      let removed = 0
      for (let after: string | undefined; ;) {
        const page = yield* state.list(workflowRuns.bucket, {
          limit: partsPage,
          ...(after === undefined ? {} : { after }),
        })
        for (const { key } of page) {
          if (key.startsWith(digestPrefix)) {
            if (yield* removeDigest(key, userId)) removed++
            continue
          }
          const run = Option.getOrUndefined(yield* runs.get(key))
          if (run?.value.user_id !== userId) continue
          if (run.value.digest_key !== undefined)
            yield* Collection.retryConflicts(state.remove(workflowRuns.bucket, run.value.digest_key))
          for (const listing of listingKeys(run.value))
            yield* Collection.retryConflicts(state.remove(runListings.bucket, listing))
          yield* Collection.retryConflicts(runs.remove(key))
          removed++
        }
        if (page.length < partsPage) return removed
        after = page.at(-1)?.key
      }
    }),
  }

  return [
    ofSuppressions,
    ofNotifications,
    ofMailbox,
    ofWorkflows,
    ofAudienceSends,
    ofAudienceChunks,
  ] satisfies ReadonlyArray<ErasureStore>
})

const decodeSender = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ user_id: Schema.String })))
const senderOf = (payload: string): string | undefined => Option.getOrUndefined(decodeSender(payload))?.user_id

const withoutPositions = (send: AudienceSend): AudienceSend => ({
  ...send,
  lanes: send.lanes.map((lane) => ({ ...lane, after: "" })),
})

const chunkPage = 20
const digestPrefix = "digest."
const partsPage = 200
const requestConsumer = ConsumerName.of("notify", Address.event("notification.requested"))

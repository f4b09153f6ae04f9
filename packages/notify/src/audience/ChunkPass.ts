/**
 * One pass over a chunk: every member without a final state whose time has come.
 *
 *     plan → store what needs no call, with the members of a new chunk → call → store the results → publish their events
 *
 * - A worker dies: members with a stored result are not sent to again. The outcome of the calls in flight, and of the results
 *   that were not stored yet, is unknown, so these are repeated with the same ids, and the device shows one push.
 * - A target that may be sent later remains in the chunk with its time: 429 and 503, backoff, quiet hours. The next pass plans
 *   it again, so that preferences and devices count when it is sent.
 * - A member whose next attempt would be the last, or who needs several providers, leaves the chunk: the notification gets a
 *   document of its own, and its deliveries their work messages.
 */
import type { AudienceSend } from "@armoricore/domain/Audience"
import { isEnded } from "@armoricore/domain/AudienceChunk"
import type { DeliveryEntry, NotificationChannel, NotificationState } from "@armoricore/domain/NotificationState"
import { retryPolicyOf } from "@armoricore/worker/RetryPolicy"
import { Cause, Clock, Duration, Effect, Exit, Option } from "effect"
import * as CallbackSemaphore from "../batch/CallbackSemaphore.ts"
import * as CallOutcome from "../batch/CallOutcome.ts"
import { DeliveryPolicy } from "../delivery/DeliveryPolicy.ts"
import * as PlannedDelivery from "../delivery/PlannedDelivery.ts"
import type { Accepted } from "../provider/Provider.ts"
import { ProviderCircuits } from "../provider/ProviderCircuits.ts"
import { cancelled } from "../request/Schedules.ts"
import { hashOf, platformOf } from "../request/Target.ts"
import * as ChunkCalls from "./ChunkCalls.ts"
import * as ChunkPlan from "./ChunkPlan.ts"
import { type MemberUpdate, type TargetResult, targetKeyOf } from "./ChunkRecord.ts"
import * as ChunkStore from "./ChunkStore.ts"
import * as MemberAdoption from "./MemberAdoption.ts"

export type PassEnd =
  /** Providers take nothing now, or the pass took too long. The same message comes back. */
  | { readonly _tag: "Interrupted"; readonly waitMillis: number }
  /** `nextAt`: when the next members are due, epoch milliseconds; undefined: every member has a final state. */
  | { readonly _tag: "Passed"; readonly nextAt: number | undefined }

/** A longer pass is interrupted, so that other sends and cancellations come in between. */
const maxPassMillis = 60_000

interface TargetCall extends ChunkCalls.Call {
  readonly index: number
  readonly channel: NotificationChannel
  readonly entry: DeliveryEntry
  readonly key: string | undefined
}

/** A member whose notification gets a document of its own. */
interface LeavingMember {
  readonly index: number
  readonly state: NotificationState
  readonly attempts: number
  readonly openTargets: number
}

interface EndedTarget {
  readonly index: number
  /** Epoch milliseconds; 0: it is not sent again. */
  readonly notBefore: number
  readonly failedAttempts: number
  readonly final: TargetResult | undefined
}

const adoptedAtOnce = 16

export const make = Effect.gen(function* () {
  const circuits = yield* ProviderCircuits
  const { concurrency, maxProviderWait } = yield* DeliveryPolicy
  const retry = yield* retryPolicyOf("notify")
  const { plan } = yield* ChunkPlan.make
  const adoption = yield* MemberAdoption.make
  const semaphores = new Map<NotificationChannel, CallbackSemaphore.CallbackSemaphore>()

  const semaphoreOf = (channel: NotificationChannel, maxConcurrent = concurrency) => {
    const known = semaphores.get(channel)
    if (known !== undefined) return known
    const fresh = CallbackSemaphore.make(Math.min(concurrency, maxConcurrent))
    semaphores.set(channel, fresh)
    return fresh
  }

  /** The result of a target without a call; `adopt`: the member leaves the chunk. */
  const withoutCall = (
    { summary, target: { channel } }: DeliveryEntry,
    isCancelled: boolean,
    isExpired: boolean,
  ): TargetResult["summary"] | "adopt" | undefined => {
    if (summary !== undefined) return summary
    const none = { channel, provider: "none" }
    if (isCancelled) return { ...none, status: "suppressed", reason: cancelled }
    if (isExpired) return { ...none, status: "expired", reason: "expired" }
    const [first, ...others] = circuits.forChannel(channel)
    if (first === undefined) return { ...none, status: "failed", reason: "no_provider" }
    // With several providers, each delivery finds its own fallback; reports name a delivery of its own.
    return others.length > 0 || first.provider.reports ? "adopt" : undefined
  }

  /** `isCancelled` is asked during the pass. */
  const run = Effect.fnUntraced(function* (
    send: AudienceSend,
    payload: ChunkPlan.Payload,
    held: ChunkStore.HeldChunk,
    isCancelled: () => boolean,
  ) {
    const startedAt = yield* Clock.currentTimeMillis
    const before = held.chunk()
    const wasCancelled = isCancelled()
    const due = before.members.flatMap((member, index) =>
      !isEnded(member) && (wasCancelled || (member.n ?? 0) <= startedAt) ? [index] : [],
    )
    const { planned, unplanned } = yield* plan(send, payload, before, due, startedAt)
    const updates: Array<MemberUpdate> = unplanned.map(({ error: { code, message }, index }) => ({
      index,
      openTargets: 0,
      // The devices of a member with results are gone.
      ...(before.members[index]?.r === undefined ? { error: { code, message } } : {}),
    }))
    const calls: Array<TargetCall> = []
    const leaving: Array<LeavingMember> = []
    /** Targets of a member without a final state. */
    const open = new Map<number, number>()
    const isLate = startedAt > before.requested_at + Duration.toMillis(maxProviderWait)
    for (const member of planned) {
      const { index, state } = member
      const { a = 0, r = [] } = before.members[index] ?? {}
      const isOnly = r.length === 0 && state.deliveries.length === 1
      const recorded = new Set(r.map(({ t }) => t))
      const rest = state.deliveries
        .map((entry, at) => ({ at, entry, key: isOnly ? undefined : targetKeyOf(entry.delivery_id) }))
        .filter(({ key }) => key === undefined || !recorded.has(key))
      if (!wasCancelled && state.send_at !== undefined && state.send_at > startedAt) {
        updates.push({ index, openTargets: rest.length, notBefore: state.send_at })
        continue
      }
      const isExpired = PlannedDelivery.isExpired(state, startedAt)
      const judged = rest.map((one) => ({ ...one, summary: withoutCall(one.entry, wasCancelled, isExpired) }))
      const isExhausted = isLate || (a > 0 && a >= retry.maxAttempts - 1)
      if (judged.some(({ summary }) => summary === "adopt" || (isExhausted && summary === undefined))) {
        leaving.push({ index, state, attempts: a, openTargets: rest.length })
        continue
      }
      const results: Array<TargetResult> = []
      let openTargets = 0
      for (const { at, entry, key, summary } of judged) {
        if (summary !== undefined && summary !== "adopt") {
          results.push({ summary, target: key })
          continue
        }
        const { channel } = entry.target
        const [circuit] = circuits.forChannel(channel)
        const delivery = PlannedDelivery.of(state, at)
        if (circuit === undefined || delivery === undefined) continue
        openTargets++
        const message = PlannedDelivery.messageOf(delivery)
        calls.push({
          index,
          channel,
          entry,
          key,
          circuit,
          semaphore: semaphoreOf(channel, circuit.provider.maxConcurrent),
          message,
        })
      }
      open.set(index, openTargets)
      if (openTargets === 0 || results.length > 0) updates.push({ index, openTargets, results })
    }
    // The claim: the first record of a new chunk stores its members, before any of them is sent to.
    yield* Effect.uninterruptible(
      Effect.andThen(ChunkStore.countResults(updates.flatMap(({ results = [] }) => results)), held.record(updates)),
    )
    if (leaving.length > 0) {
      const adopted = ({ attempts, index, state }: LeavingMember) =>
        adoption.adopt(state, MemberAdoption.recordedOf(before, before.members[index]), attempts)
      yield* Effect.forEach(leaving, adopted, { concurrency: adoptedAtOnce, discard: true })
      yield* held.record(leaving.map(({ index, openTargets }) => ({ index, openTargets, isOwn: true })))
    }
    if (calls.length === 0) return yield* passed(held)

    /** Members whose failed attempt of this pass is counted: a member with two failing devices has failed once. */
    const counted = new Set<number>()
    const resultOf = Effect.fnUntraced(function* ({ call, exit }: ChunkCalls.EndedCall<TargetCall>) {
      const { channel, circuit, entry, index, key } = call
      const failedAttempts = held.chunk().members[index]?.a ?? 0
      const outcome = yield* CallOutcome.of({ channel, exit, provider: circuit.provider.name }, retry, failedAttempts)
      const { counts_as_attempt, invalid_since, not_before = 0, provider, reason, target_invalid } = outcome
      if (outcome.status === "requested") {
        const isThrottled =
          Exit.isFailure(exit) && ChunkCalls.isThrottled(Option.getOrUndefined(Cause.findErrorOption(exit.cause)))
        const isCounted = counts_as_attempt === true && !isThrottled && !counted.has(index)
        if (isCounted) counted.add(index)
        return { index, notBefore: not_before, failedAttempts: isCounted ? 1 : 0, final: undefined }
      }
      const dead =
        target_invalid === true && platformOf(channel) !== ""
          ? {
              invalidHash: hashOf(entry.target),
              ...(invalid_since === undefined ? {} : { invalidSince: invalid_since }),
            }
          : {}
      const summary = { channel, provider, status: "failed" as const, ...(reason === undefined ? {} : { reason }) }
      return { index, notBefore: 0, failedAttempts: 0, final: { summary, target: key, ...dead } }
    })
    /** Hot path: nearly every call ends so. */
    const acceptedOf = ({ channel, circuit, index, key }: TargetCall, { providerId }: Accepted): EndedTarget => ({
      index,
      notBefore: 0,
      failedAttempts: 0,
      final: {
        summary: {
          channel,
          provider: circuit.provider.name,
          status: "sent",
          ...(providerId === undefined ? {} : { provider_id: providerId }),
        },
        target: key,
      },
    })

    const flush = Effect.fnUntraced(function* (ended: ReadonlyArray<ChunkCalls.EndedCall<TargetCall>>) {
      const results: Array<EndedTarget> = []
      for (const one of ended) {
        const isAccepted = Exit.isSuccess(one.exit) && !("_tag" in one.exit.value)
        results.push(isAccepted ? acceptedOf(one.call, one.exit.value) : yield* resultOf(one))
      }
      yield* ChunkStore.countResults(results.flatMap(({ final }) => final ?? []))
      yield* held.record(
        [...Map.groupBy(results, ({ index }) => index)].map(([index, ofMember]): MemberUpdate => {
          const final = ofMember.flatMap((one) => one.final ?? [])
          const openTargets = (open.get(index) ?? 0) - final.length
          open.set(index, openTargets)
          const notBefore = Math.max(...ofMember.map((one) => one.notBefore))
          return {
            index,
            openTargets,
            results: final,
            failedAttempts: ofMember.reduce((sum, one) => sum + one.failedAttempts, 0),
            ...(notBefore === 0 ? {} : { notBefore }),
          }
        }),
      )
    })

    const clock = yield* Clock.Clock
    const isOver = () => clock.currentTimeMillisUnsafe() - startedAt > maxPassMillis
    const { blockedUntil, left } = yield* ChunkCalls.run({ calls, flush, isStopped: () => isCancelled() || isOver() })
    if (left.length === 0) return yield* passed(held)
    if (isCancelled()) {
      const results = left.map(({ channel, index, key }) => ({
        index,
        result: {
          summary: { channel, provider: "none", status: "suppressed" as const, reason: cancelled },
          target: key,
        },
      }))
      yield* ChunkStore.countResults(results.map(({ result }) => result))
      yield* held.record(
        [...Map.groupBy(results, ({ index }) => index)].map(([index, ofMember]) => ({
          index,
          openTargets: (open.get(index) ?? 0) - ofMember.length,
          results: ofMember.map(({ result }) => result),
        })),
      )
      return yield* passed(held)
    }
    const now = yield* Clock.currentTimeMillis
    // Nothing gets through: the members behind these wait too.
    if (blockedUntil === 0 || left.length === calls.length)
      return interrupted(blockedUntil === 0 ? 0 : blockedUntil - now)
    yield* held.record(
      [...new Set(left.map(({ index }) => index))].map((index) => ({
        index,
        openTargets: open.get(index) ?? 1,
        notBefore: blockedUntil,
      })),
    )
    return yield* passed(held)
  })

  return { run, adoption }
})

const interrupted = (waitMillis: number): PassEnd => ({ _tag: "Interrupted", waitMillis: Math.max(50, waitMillis) })

/** Stores that the events are published, if the chunk goes on. */
const passed = (held: ChunkStore.HeldChunk) =>
  Effect.gen(function* () {
    const times = held.chunk().members.flatMap((member) => (isEnded(member) ? [] : [member.n ?? 0]))
    if (times.length === 0) return { _tag: "Passed", nextAt: undefined } satisfies PassEnd
    yield* held.record([])
    return { _tag: "Passed", nextAt: Math.min(...times) } satisfies PassEnd
  })

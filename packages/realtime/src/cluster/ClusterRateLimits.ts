/**
 * Limits of a user over all nodes. Each node counts for itself, so that no message waits for another node; what users spend
 * who spend much is told every round to the one node that keeps their account, chosen by hash among those that are there.
 * It answers with what the user owes by now over all nodes, and how many sockets there are elsewhere.
 *
 * So in the long run a user has one allowance, however many nodes there are; at once it may be one on each. A node that is
 * cut off, or whose accountant died, counts for itself until there is another; debts end with time, so nobody is shut out.
 */
import { Clock, Duration, Effect, Schedule, Schema } from "effect"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import type { Limits, Rate } from "../socket/Limits.ts"
import type { UsageLimits, ClientUsage } from "../socket/UsageLimits.ts"
import { Cluster } from "./Cluster.ts"
import { ownerOf } from "./Rendezvous.ts"

const kinds = { report: "usage.report", total: "usage.total" } as const

/** The user, messages and joins since the last round, and sockets now. */
const Reports = Schema.Array(Schema.Tuple([Schema.String, Schema.Int, Schema.Int, Schema.Int]))
/** The user, milliseconds until the allowances of messages and joins are whole, and sockets on other nodes. */
const Totals = Schema.Array(Schema.Tuple([Schema.String, Schema.Finite, Schema.Finite, Schema.Int]))
type Report = (typeof Reports.Type)[number]
type Total = (typeof Totals.Type)[number]

/** Sockets that were not said again for so many rounds are there no more. */
const maxMissedRounds = 3

interface UserAccount {
  messagesReplenishedAt: number
  joinsReplenishedAt: number
  readonly sockets: Map<string, { readonly count: number; missedRounds: number }>
}

/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* (usage: UsageLimits, limits: Limits) {
  const cluster = yield* Cluster
  if (!cluster.isClustered) return
  const clock = yield* Clock.Clock
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const intervalMillis = Duration.toMillis(limits.sweepInterval)
  const accounts = new Map<string, UserAccount>()

  const recordReport = (from: string, [user, messages, joins, sockets]: Report): Total => {
    const now = MonotonicClock.millis(clock)
    const known = accounts.get(user) ?? { messagesReplenishedAt: 0, joinsReplenishedAt: 0, sockets: new Map() }
    accounts.set(user, known)
    // It was spent in the course of the round that is over, in which the allowance grew too.
    const spend = (whole: number, count: number, rate: Rate) =>
      count === 0 ? whole : Math.max(whole, now - intervalMillis) + (count * 1000) / rate.perSecond
    known.messagesReplenishedAt = spend(known.messagesReplenishedAt, messages, limits.userMessages)
    known.joinsReplenishedAt = spend(known.joinsReplenishedAt, joins, limits.userJoins)
    known.sockets.set(from, { count: sockets, missedRounds: 0 })
    let elsewhere = 0
    for (const [node, { count }] of known.sockets) if (node !== from) elsewhere += count
    return [
      user,
      Math.max(0, known.messagesReplenishedAt - now),
      Math.max(0, known.joinsReplenishedAt - now),
      elsewhere,
    ]
  }

  const applyTotals = (totals: ReadonlyArray<Total>): void => {
    const now = MonotonicClock.millis(clock)
    for (const [user, messages, joins, elsewhere] of totals) {
      usage.user(user)?.applyClusterTotals({ messages: now + messages, joins: now + joins, elsewhere })
    }
  }

  /** All that is below an even share, halved, is not worth a word: together it is less than half of what is allowed. */
  const reportOf = (user: ClientUsage, share: number): Report | undefined => {
    const { messages, joins } = user.takeUsage()
    const isSignificant =
      messages * 1000 >= limits.userMessages.perSecond * intervalMillis * share ||
      joins * 1000 >= limits.userJoins.perSecond * intervalMillis * share ||
      user.sockets >= limits.maxSocketsPerUser * share
    return isSignificant && messages + joins + user.sockets > 0 ? [user.key, messages, joins, user.sockets] : undefined
  }

  const expireAccounts = (): void => {
    const now = MonotonicClock.millis(clock)
    for (const [user, { messagesReplenishedAt, joinsReplenishedAt, sockets }] of accounts) {
      for (const [node, said] of sockets) if (++said.missedRounds > maxMissedRounds) sockets.delete(node)
      if (sockets.size === 0 && messagesReplenishedAt <= now && joinsReplenishedAt <= now) accounts.delete(user)
    }
  }

  const round = Effect.suspend(() => {
    expireAccounts()
    const nodes = [cluster.node, ...cluster.otherNodes()]
    const share = 1 / (2 * nodes.length)
    const reports = new Map<string, Array<Report>>()
    for (const user of usage.users()) {
      const report = reportOf(user, share)
      if (report === undefined || nodes.length === 1 || !cluster.isConnected()) {
        user.remoteSockets = 0
        continue
      }
      const owner = ownerOf(user.key, nodes)
      const before = reports.get(owner)
      if (before === undefined) reports.set(owner, [report])
      else before.push(report)
    }
    applyTotals((reports.get(cluster.node) ?? []).map((report) => recordReport(cluster.node, report)))
    reports.delete(cluster.node)
    return Effect.forEach(reports, ([owner, told]) => cluster.send(owner, kinds.report, told), { discard: true })
  })

  yield* cluster.on(kinds.report, Reports, ({ from, value }) => {
    fork(
      cluster.send(
        from,
        kinds.total,
        value.map((report) => recordReport(from, report)),
      ),
    )
  })
  yield* cluster.onNodeChange((change, node) => {
    if (change !== "joined") for (const { sockets } of accounts.values()) sockets.delete(node)
  })
  yield* cluster.on(kinds.total, Totals, ({ value }) => applyTotals(value))
  yield* Effect.forkScoped(Effect.schedule(round, Schedule.spaced(limits.sweepInterval)))
})

/**
 * Limits of a user over all nodes. Each node counts for itself, so that no message waits for another node; what users spend
 * who spend much is told every round to the one node that keeps their account, chosen by hash among those that are there.
 * It answers with what the user owes by now over all nodes, and how many sockets there are elsewhere.
 *
 * So in the long run a user has one allowance, however many nodes there are; at once it may be one on each. A node that is
 * cut off, or whose accountant died, counts for itself until there is another; debts end with time, so nobody is shut out.
 */
import { Clock, Duration, Effect, Schedule, Schema } from "effect"
import * as Elapsed from "../Elapsed.ts"
import type { Limits, Rate } from "../Limits.ts"
import type { Parties, Party } from "../Parties.ts"
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
const maxSilent = 3

interface Account {
  messagesWhole: number
  joinsWhole: number
  readonly sockets: Map<string, { readonly count: number; silent: number }>
}

/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* (parties: Parties, limits: Limits) {
  const cluster = yield* Cluster
  if (!cluster.isShared) return
  const clock = yield* Clock.Clock
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const every = Duration.toMillis(limits.sweepEvery)
  const accounts = new Map<string, Account>()

  const account = (from: string, [user, messages, joins, sockets]: Report): Total => {
    const now = Elapsed.millis(clock)
    const known = accounts.get(user) ?? { messagesWhole: 0, joinsWhole: 0, sockets: new Map() }
    accounts.set(user, known)
    // It was spent in the course of the round that is over, in which the allowance grew too.
    const spend = (whole: number, count: number, rate: Rate) =>
      count === 0 ? whole : Math.max(whole, now - every) + (count * 1000) / rate.perSecond
    known.messagesWhole = spend(known.messagesWhole, messages, limits.userMessages)
    known.joinsWhole = spend(known.joinsWhole, joins, limits.userJoins)
    known.sockets.set(from, { count: sockets, silent: 0 })
    let elsewhere = 0
    for (const [node, { count }] of known.sockets) if (node !== from) elsewhere += count
    return [user, Math.max(0, known.messagesWhole - now), Math.max(0, known.joinsWhole - now), elsewhere]
  }

  const heed = (totals: ReadonlyArray<Total>): void => {
    const now = Elapsed.millis(clock)
    for (const [user, messages, joins, elsewhere] of totals) {
      parties.user(user)?.owe({ messages: now + messages, joins: now + joins, elsewhere })
    }
  }

  /** All that is below an even share, halved, is not worth a word: together it is less than half of what is allowed. */
  const reportOf = (user: Party, share: number): Report | undefined => {
    const { messages, joins } = user.takeSpent()
    const isMuch =
      messages * 1000 >= limits.userMessages.perSecond * every * share ||
      joins * 1000 >= limits.userJoins.perSecond * every * share ||
      user.sockets >= limits.maxSocketsPerUser * share
    return isMuch && messages + joins + user.sockets > 0 ? [user.key, messages, joins, user.sockets] : undefined
  }

  const forgetSilent = (): void => {
    const now = Elapsed.millis(clock)
    for (const [user, { messagesWhole, joinsWhole, sockets }] of accounts) {
      for (const [node, said] of sockets) if (++said.silent > maxSilent) sockets.delete(node)
      if (sockets.size === 0 && messagesWhole <= now && joinsWhole <= now) accounts.delete(user)
    }
  }

  const round = Effect.suspend(() => {
    forgetSilent()
    const nodes = [cluster.node, ...cluster.others()]
    const share = 1 / (2 * nodes.length)
    const reports = new Map<string, Array<Report>>()
    for (const user of parties.users()) {
      const report = reportOf(user, share)
      if (report === undefined || nodes.length === 1 || !cluster.isConnected()) {
        user.elsewhere = 0
        continue
      }
      const owner = ownerOf(user.key, nodes)
      const before = reports.get(owner)
      if (before === undefined) reports.set(owner, [report])
      else before.push(report)
    }
    heed((reports.get(cluster.node) ?? []).map((report) => account(cluster.node, report)))
    reports.delete(cluster.node)
    return Effect.forEach(reports, ([owner, told]) => cluster.tell(owner, kinds.report, told), { discard: true })
  })

  yield* cluster.on(kinds.report, Reports, ({ from, value }) => {
    fork(
      cluster.tell(
        from,
        kinds.total,
        value.map((report) => account(from, report)),
      ),
    )
  })
  yield* cluster.onNode((change, node) => {
    if (change !== "came") for (const { sockets } of accounts.values()) sockets.delete(node)
  })
  yield* cluster.on(kinds.total, Totals, ({ value }) => heed(value))
  yield* Effect.forkScoped(Effect.schedule(round, Schedule.spaced(limits.sweepEvery)))
})

/**
 * Who uses how much of this node: a party is a user or an address, with its sockets, messages and joins. Kept as a few
 * numbers each, since there are as many parties as sockets. What users owe for what they did on other nodes is told by
 * `cluster/SharedUsage`.
 *
 * Rates are counted by the generic cell rate algorithm: one time per rate says when the allowance will be whole again.
 */
import type { Limits, Rate } from "./Limits.ts"

export class ClientUsage {
  readonly key: string
  sockets = 0
  /** Sockets on other nodes, as far as it is known. */
  remoteSockets = 0
  /** Since they were asked for. */
  #messages = 0
  #joins = 0
  /** When the allowance of messages and of joins is whole again, in milliseconds of `Elapsed`. */
  #messagesReplenishedAt = 0
  #joinsReplenishedAt = 0

  constructor(key: string) {
    this.key = key
  }

  /** Takes messages out of the allowance; 0, or how many milliseconds until there are so many. */
  consumeMessages(rate: Rate, now: number, count = 1): number {
    const whole = consume(this.#messagesReplenishedAt, rate, now, count)
    if (whole < 0) return -whole
    this.#messagesReplenishedAt = whole
    this.#messages += count
    return 0
  }

  consumeJoin(rate: Rate, now: number): number {
    const whole = consume(this.#joinsReplenishedAt, rate, now)
    if (whole < 0) return -whole
    this.#joinsReplenishedAt = whole
    this.#joins++
    return 0
  }

  /** Messages and joins since the last call. */
  takeUsage(): { readonly messages: number; readonly joins: number } {
    const spent = { messages: this.#messages, joins: this.#joins }
    this.#messages = 0
    this.#joins = 0
    return spent
  }

  /** Over all nodes: when the allowances are whole again, and the sockets on other nodes. */
  applyClusterTotals({ messages, joins, elsewhere }: { messages: number; joins: number; elsewhere: number }): void {
    this.#messagesReplenishedAt = Math.max(this.#messagesReplenishedAt, messages)
    this.#joinsReplenishedAt = Math.max(this.#joinsReplenishedAt, joins)
    this.remoteSockets = elsewhere
  }

  /** Nothing is known of it that an unknown party would not have. */
  isIdle(now: number): boolean {
    return this.sockets === 0 && this.#messagesReplenishedAt <= now && this.#joinsReplenishedAt <= now
  }
}

/** When the allowance is whole again after so many were taken; negative: they are not there for so many milliseconds. */
const consume = (whole: number, { perSecond, burst }: Rate, now: number, count = 1): number => {
  const interval = 1000 / perSecond
  const from = Math.max(whole, now)
  const spent = Math.min(count, burst)
  const wait = from - now - (burst - spent) * interval
  return wait > 0 ? -Math.ceil(wait) : from + spent * interval
}

export interface ConnectionLease {
  readonly user: ClientUsage
  readonly address: ClientUsage
}

export class UsageLimits {
  readonly #limits: Limits
  readonly #users = new Map<string, ClientUsage>()
  readonly #addresses = new Map<string, ClientUsage>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** A place for one more socket, or whose limit it would break. Every place must be left again. */
  acquire(userId: string, address: string): ConnectionLease | "user" | "address" {
    const user = usageOf(this.#users, userId)
    const from = usageOf(this.#addresses, address)
    if (user.sockets + user.remoteSockets >= this.#limits.maxSocketsPerUser) return "user"
    if (from.sockets >= this.#limits.maxSocketsPerAddress) return "address"
    user.sockets++
    from.sockets++
    return { user, address: from }
  }

  release({ user, address }: ConnectionLease): void {
    user.sockets--
    address.sockets--
  }

  users(): Iterable<ClientUsage> {
    return this.#users.values()
  }

  user(userId: string): ClientUsage | undefined {
    return this.#users.get(userId)
  }

  /** Forgets those who are gone and have their allowance back. */
  sweep(now: number): void {
    for (const parties of [this.#users, this.#addresses]) {
      for (const party of parties.values()) if (party.isIdle(now)) parties.delete(party.key)
    }
  }

  get size(): number {
    return this.#users.size + this.#addresses.size
  }
}

const usageOf = (parties: Map<string, ClientUsage>, key: string): ClientUsage => {
  const known = parties.get(key)
  if (known !== undefined) return known
  const party = new ClientUsage(key)
  parties.set(key, party)
  return party
}

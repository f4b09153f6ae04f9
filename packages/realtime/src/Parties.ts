/**
 * Who uses how much of this node: a party is a user or an address, with its sockets, messages and joins. Kept as a few
 * numbers each, since there are as many parties as sockets. What users owe for what they did on other nodes is told by
 * `cluster/SharedUsage`.
 *
 * Rates are counted by the generic cell rate algorithm: one time per rate says when the allowance will be whole again.
 */
import type { Limits, Rate } from "./Limits.ts"

export class Party {
  readonly key: string
  sockets = 0
  /** Sockets on other nodes, as far as it is known. */
  elsewhere = 0
  /** Since they were asked for. */
  #messages = 0
  #joins = 0
  /** When the allowance of messages and of joins is whole again, in milliseconds of `Elapsed`. */
  #messagesWhole = 0
  #joinsWhole = 0

  constructor(key: string) {
    this.key = key
  }

  /** Takes messages out of the allowance; 0, or how many milliseconds until there are so many. */
  message(rate: Rate, now: number, count = 1): number {
    const whole = taken(this.#messagesWhole, rate, now, count)
    if (whole < 0) return -whole
    this.#messagesWhole = whole
    this.#messages += count
    return 0
  }

  join(rate: Rate, now: number): number {
    const whole = taken(this.#joinsWhole, rate, now)
    if (whole < 0) return -whole
    this.#joinsWhole = whole
    this.#joins++
    return 0
  }

  /** Messages and joins since the last call. */
  takeSpent(): { readonly messages: number; readonly joins: number } {
    const spent = { messages: this.#messages, joins: this.#joins }
    this.#messages = 0
    this.#joins = 0
    return spent
  }

  /** Over all nodes: when the allowances are whole again, and the sockets on other nodes. */
  owe({ messages, joins, elsewhere }: { messages: number; joins: number; elsewhere: number }): void {
    this.#messagesWhole = Math.max(this.#messagesWhole, messages)
    this.#joinsWhole = Math.max(this.#joinsWhole, joins)
    this.elsewhere = elsewhere
  }

  /** Nothing is known of it that an unknown party would not have. */
  isForgettable(now: number): boolean {
    return this.sockets === 0 && this.#messagesWhole <= now && this.#joinsWhole <= now
  }
}

/** When the allowance is whole again after so many were taken; negative: they are not there for so many milliseconds. */
const taken = (whole: number, { perSecond, burst }: Rate, now: number, count = 1): number => {
  const interval = 1000 / perSecond
  const from = Math.max(whole, now)
  const spent = Math.min(count, burst)
  const wait = from - now - (burst - spent) * interval
  return wait > 0 ? -Math.ceil(wait) : from + spent * interval
}

export interface Place {
  readonly user: Party
  readonly address: Party
}

export class Parties {
  readonly #limits: Limits
  readonly #users = new Map<string, Party>()
  readonly #addresses = new Map<string, Party>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** A place for one more socket, or whose limit it would break. Every place must be left again. */
  enter(userId: string, address: string): Place | "user" | "address" {
    const user = partyOf(this.#users, userId)
    const from = partyOf(this.#addresses, address)
    if (user.sockets + user.elsewhere >= this.#limits.maxSocketsPerUser) return "user"
    if (from.sockets >= this.#limits.maxSocketsPerAddress) return "address"
    user.sockets++
    from.sockets++
    return { user, address: from }
  }

  leave({ user, address }: Place): void {
    user.sockets--
    address.sockets--
  }

  users(): Iterable<Party> {
    return this.#users.values()
  }

  user(userId: string): Party | undefined {
    return this.#users.get(userId)
  }

  /** Forgets those who are gone and have their allowance back. */
  sweep(now: number): void {
    for (const parties of [this.#users, this.#addresses]) {
      for (const party of parties.values()) if (party.isForgettable(now)) parties.delete(party.key)
    }
  }

  get size(): number {
    return this.#users.size + this.#addresses.size
  }
}

const partyOf = (parties: Map<string, Party>, key: string): Party => {
  const known = parties.get(key)
  if (known !== undefined) return known
  const party = new Party(key)
  parties.set(key, party)
  return party
}

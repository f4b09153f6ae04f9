/**
 * Names on the broker. Outside parties know `armoricore` alone; the rest is ours.
 *
 *     armoricore, armoricore-work ──▶ armoricore.consumer.<name> ──▶ handler
 *          │ nobody reads it yet            ▲              │ later
 *          ▼                                │              ▼
 *     armoricore.unrouted            armoricore.return ◀── armoricore.delay.<ms>
 *
 * A message delivered too often goes to `armoricore.parked`.
 */
import { type StoredAddress, deadLetterType, prefixes } from "../Address.ts"
import type { ConsumerOptions } from "../EventBus.ts"

export const exchanges = {
  event: "armoricore",
  work: "armoricore-work",
  dead: "armoricore-dead",
  ephemeral: "armoricore-live",
  unrouted: "armoricore.unrouted",
  parked: "armoricore.parked",
  /** Routing key `<step>.<consumer>`. */
  delay: "armoricore.delay",
  /** The same routing key, on the way back. */
  redelivery: "armoricore.return",
} as const

export const queues = {
  dead: "armoricore-dead",
  unrouted: "armoricore.unrouted",
  parked: "armoricore.parked",
  /** Nothing is ever sent to it: it holds a number, see `RabbitSchema`. */
  schema: "armoricore.schema",
  /** Both are locks, see `RabbitLock`. */
  browseLock: "armoricore-dead.browser",
  collectorLock: "armoricore.unrouted.collector",
} as const

export const consumerQueue = (name: string): string => `armoricore.consumer.${name}`

/** The routing key is what stands behind the channel's prefix. */
export const routingKey = (address: StoredAddress): string => {
  switch (address.channel) {
    case "event":
      return address.type
    case "work":
      return `${address.service}.${address.kind}`
    case "dead":
      return `${address.service}.${deadLetterType(address.type)}`
  }
}

export const bindingOf = (from: ConsumerOptions["from"]): { readonly exchange: string; readonly key: string } =>
  from === "all-events"
    ? { exchange: exchanges.event, key: "#" }
    : { exchange: exchanges[from.channel], key: routingKey(from) }

const prefixOf: ReadonlyMap<string, string> = new Map([
  [exchanges.event, prefixes.event],
  [exchanges.work, prefixes.work],
  [exchanges.dead, prefixes.dead],
  [exchanges.ephemeral, prefixes.ephemeral],
])

/** Undefined where the message came by an exchange of ours that has no subjects. */
export const subjectOf = (exchange: string, key: string): string | undefined => {
  const prefix = prefixOf.get(exchange)
  return prefix === undefined ? undefined : prefix + key
}

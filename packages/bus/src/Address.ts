/**
 * Where a message is published. On NATS the subjects are visible to outside parties; RabbitMQ uses the subject without
 * the channel's prefix as routing key.
 */
export interface EventAddress {
  readonly channel: "event"
  readonly type: string
}
export interface WorkAddress {
  readonly channel: "work"
  readonly service: string
  readonly kind: string
}
export interface DeadLetterAddress {
  readonly channel: "dead"
  readonly service: string
  readonly type: string
}
export interface EphemeralAddress {
  readonly channel: "live"
  readonly topic: string
}
export type StoredAddress = EventAddress | WorkAddress | DeadLetterAddress
export type Address = StoredAddress | EphemeralAddress

export const event = (type: string): EventAddress => ({ channel: "event", type })
export const work = (service: string, kind: string): WorkAddress => ({ channel: "work", service, kind })
export const deadLetter = (service: string, type: string): DeadLetterAddress => ({ channel: "dead", service, type })
export const ephemeral = (topic: string): EphemeralAddress => ({ channel: "live", topic })

/** The type of a dead letter may come from outside: characters that are not valid in a subject token become `_`. */
export const deadLetterType = (text: string): string => {
  const cleaned = text
    .replace(/[^A-Za-z0-9_.-]/g, "_")
    .replace(/^\.+|\.+$|\.(?=\.)/g, "_")
    .slice(0, 128)
  return cleaned === "" ? "_" : cleaned
}

export const prefixes = {
  event: "armoricore.",
  work: "armoricore-work.",
  dead: "armoricore-dead.",
  ephemeral: "armoricore-live.",
} as const

export const subject = (address: Address): string => {
  switch (address.channel) {
    case "event":
      return prefixes.event + address.type
    case "work":
      return `${prefixes.work}${address.service}.${address.kind}`
    case "dead":
      return `${prefixes.dead}${address.service}.${deadLetterType(address.type)}`
    case "live":
      return prefixes.ephemeral + address.topic
  }
}

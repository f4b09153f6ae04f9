/** Names of durable consumers: `media-media-uploaded` for an event, `media-work-retry` for internal work. */
import type { EventAddress, WorkAddress } from "./Address.ts"

/** The part of the name that a service's handler adds. */
export const suffix = (from: EventAddress | WorkAddress): string =>
  from.channel === "event" ? from.type.replaceAll(/[._]/g, "-") : `work-${from.kind}`

/** The name of the consumer through which `service` reads `from`. */
export const of = (service: string, from: EventAddress | WorkAddress): string => `${service}-${suffix(from)}`

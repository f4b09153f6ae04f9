/** Creates or checks what the program stores in: streams, queues, buckets. Doing it again changes nothing. */
import { EventBus } from "@armoricore/bus/EventBus"
import { History } from "@armoricore/history/History"
import { KeyValue } from "@armoricore/state/KeyValue"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect } from "effect"
import { bucketsOf } from "./Rights.ts"
import { consumersOf, names, type ServiceName, webhookConsumers } from "./Services.ts"
import { Settings } from "./Settings.ts"

/** One line per resource. */
const of = Effect.fnUntraced(function* (services: ReadonlySet<ServiceName>) {
  const settings = yield* Settings
  const bus = yield* EventBus
  const state = yield* KeyValue
  const history = yield* History
  const storage = yield* ObjectStorage
  const webhook = settings.WEBHOOK_URL === undefined ? [] : webhookConsumers
  const lines = [
    ...(yield* bus.setup([...consumersOf(services), ...webhook])),
    ...(yield* state.setup(bucketsOf(services))),
    ...(services.has("realtime") ? yield* history.setup : []),
  ]
  return [...lines, yield* storage.setup(settings.OBJECT_STORAGE_BUCKET)]
})

/** All of it, for every service. */
export const setup = of(new Set(names))

/** At the start of some services: all of it where they may make it, else a look at what they use themselves. */
export const setupFor = (chosen: ReadonlySet<ServiceName>) =>
  Effect.flatMap(Settings, ({ NATS_SETUP }) => (NATS_SETUP === "verify" ? of(chosen) : setup))

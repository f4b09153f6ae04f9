/**
 * `armoricore publish`: validates an envelope, or with `--type` a payload, and publishes it. Prints the event's id once
 * the bus has acknowledged it.
 */
import { event as eventAddress } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as EventCodec from "@armoricore/domain/EventCodec"
import * as Signature from "@armoricore/domain/Signature"
import { authorize } from "@armoricore/worker/PublishPolicy"
import { Clock, Console, Effect, FileSystem, Option, Stdio, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { CommandFailed } from "../app/CommandErrors.ts"
import { Settings } from "../settings/Settings.ts"
import { workerSettings, eventSources } from "../app/Services.ts"
import { withAdapters, withSettings } from "./support.ts"

const type = Flag.String("type").pipe(
  Flag.withDescription("treat the file as a payload of this type and wrap it in an envelope"),
  Flag.withMetavar("T"),
  Flag.optional,
)
const file = Argument.String("file").pipe(Argument.withDescription("a JSON file, or - for standard input"))

const read = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const stdio = yield* Stdio.Stdio
  const bytes = path === "-" ? Stream.mkUint8Array(stdio.stdin) : fs.readFile(path)
  return yield* Effect.mapError(
    bytes,
    () => new CommandFailed({ message: `cannot read ${path === "-" ? "standard input" : path}` }),
  )
})

/** Uses the first source of EVENT_SOURCES that may publish the type. */
const wrapPayload = Effect.fnUntraced(function* (eventType: string, payload: unknown) {
  const sources = eventSources(yield* Settings)
  const source = [...sources].find(([, types]) => types.has(eventType))?.[0]
  if (source === undefined) {
    return yield* new CommandFailed({
      message: `no source of EVENT_SOURCES may publish ${eventType}; ${describeAllowedTypes(sources)}`,
    })
  }
  return {
    event_type: eventType,
    event_id: crypto.randomUUID(),
    timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
    source,
    payload,
  }
})

const describeAllowedTypes = (sources: ReadonlyMap<string, ReadonlySet<string>>): string => {
  const types = [...sources.values()].flatMap((set) => [...set])
  return types.length === 0 ? "it allows no type" : `it allows ${types.join(", ")}`
}

const encoder = new TextEncoder()

export const publish = Command.make(
  "publish",
  { type, file },
  Effect.fn("publish")(
    function* ({ file: path, type: eventType }) {
      const raw = yield* read(path)
      const body = Option.isNone(eventType)
        ? raw
        : encoder.encode(JSON.stringify(yield* wrapPayload(eventType.value, yield* EventCodec.parseJson(raw))))
      const { event } = yield* EventCodec.decode(body).pipe(
        Effect.mapError(
          ({ message, path: field }) => new CommandFailed({ message: `${field === "" ? path : field}: ${message}` }),
        ),
      )
      const now = yield* Clock.currentTimeMillis
      const firstKey = [...((yield* Settings).EVENT_SIGNING_KEYS ?? [])][0]
      const headers: Record<string, string> =
        firstKey === undefined
          ? {}
          : { [Signature.signatureHeader]: Signature.sign(firstKey[0], firstKey[1], Math.floor(now / 1000), body) }
      const address = eventAddress(event.event_type)
      // The same check as in the workers, which would dead-letter the event.
      yield* authorize(event, { subject: "", id: event.event_id, headers, body, arrivedAt: now }).pipe(
        Effect.mapError(({ message }) => new CommandFailed({ message })),
      )
      const bus = yield* EventBus
      const { duplicate } = yield* bus.publish({ address, id: event.event_id, body, headers })
      if (duplicate) yield* Console.error("duplicate: the bus already has this event")
      yield* Console.log(event.event_id)
    },
    Effect.provide(workerSettings),
    withAdapters,
    withSettings,
  ),
)

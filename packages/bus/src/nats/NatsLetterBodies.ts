/**
 * Bodies of dead letters that are too large for a NATS message: they lie in an object store, named after the letter's id,
 * and the letter carries their name in a header. Put first, so that no letter points to nothing; putting again after a
 * crash overwrites the same object.
 */
import { Effect } from "effect"
import { type JetStreamClient, type JetStreamManager, type ObjectStore, StorageType } from "nats"
import type { StoredLetter } from "../EventBus.ts"
import { attempt, failure, isMadeMeanwhile, type NatsFailure } from "./NatsErrors.ts"

export const header = "Armoricore-Body-Object"
const bucket = "ARMORICORE_DEAD"
const resource = `object store ${bucket}`
const stream = `OBJ_${bucket}`

const store = (js: JetStreamClient, replicas = 1): Effect.Effect<ObjectStore, NatsFailure> =>
  Effect.tryPromise({
    try: () => js.views.os(bucket, { storage: StorageType.File, replicas }),
    catch: (cause) => cause,
  }).pipe(
    // Who looks again finds what another process made in the same moment.
    Effect.retry({ times: 1, while: isMadeMeanwhile }),
    Effect.mapError(failure(resource)),
  )

/** So that a worker need not have the right to make it; as many copies as the letters have. */
export const ensure = Effect.fnUntraced(function* (js: JetStreamClient, manager: JetStreamManager, replicas = 1) {
  yield* store(js, replicas)
  const { config } = yield* attempt(resource, () => manager.streams.info(stream))
  if (config.num_replicas === replicas) return
  yield* attempt(resource, () => manager.streams.update(stream, { ...config, num_replicas: replicas }))
})

export const put = Effect.fnUntraced(function* (js: JetStreamClient, id: string, body: Uint8Array) {
  const objects = yield* store(js)
  yield* attempt(resource, () => objects.putBlob({ name: id }, body))
})

/** The letter with its body, wherever that lies. */
export const fill = Effect.fnUntraced(function* (js: JetStreamClient, letter: StoredLetter) {
  const { [header]: name, ...headers } = letter.headers
  if (name === undefined) return letter
  const objects = yield* store(js)
  const body = yield* attempt(resource, () => objects.getBlob(name))
  return { ...letter, headers, body: body ?? new Uint8Array() }
})

export const remove = Effect.fnUntraced(function* (js: JetStreamClient, letter: StoredLetter) {
  const name = letter.headers[header]
  if (name === undefined) return
  const objects = yield* store(js)
  yield* attempt(resource, () => objects.delete(name))
})

/**
 * Servers before NATS 2.10 add no republishing to a stream that is there. Then the stream is kept as a snapshot on this
 * machine's disk, deleted, and restored with the new configuration: every message keeps its number and its time. The
 * snapshot is of the form that `nats stream restore FOLDER` takes, and stays where the restoring fails.
 *
 * Nothing can be added meanwhile, for the stream stands under other subjects: realtime keeps what is said and adds it
 * later, as whenever the history is away. Only `armoricore setup` does this, so that it happens once.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { natsRequest } from "@armoricore/nats/NatsErrors"
import { Effect } from "effect"
import { createInbox, JSONCodec, type NatsConnection, type StreamConfig, type StreamState } from "nats"
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Where the stream stands while it is copied, so that nothing is added to it. */
const aside = "armoricore-history-aside.>"

/** The server waits for an acknowledgement of each. */
const chunkSize = 128 * 1024
const patience = 30_000

interface Snapshot {
  readonly config: StreamConfig
  readonly state: StreamState
}

interface Answer {
  readonly error?: { readonly description?: string }
  readonly deliver_subject?: string
}

const json = JSONCodec<unknown>()

export const remake = Effect.fnUntraced(function* (
  client: NatsConnection,
  name: string,
  wanted: object,
  inboxPrefix: string | undefined,
) {
  const resource = `stream ${name}`
  const folder = yield* Effect.sync(() => mkdtempSync(join(tmpdir(), "armoricore-history-")))
  yield* Effect.logInfo(`The ${resource} is made anew; until that is done a copy of it lies in ${folder}`)
  const manager = yield* natsRequest(resource, () => client.jetstreamManager())
  const { config } = yield* natsRequest(resource, () => manager.streams.info(name))
  const stand = (subjects: ReadonlyArray<string>) =>
    natsRequest(resource, () => manager.streams.update(name, { ...config, subjects: [...subjects] }))
  yield* stand([aside])
  const snapshot = yield* natsRequest(resource, () => save(client, name, folder, inboxPrefix)).pipe(
    // Nothing is lost yet.
    Effect.tapError(() => Effect.ignore(stand(config.subjects))),
    Effect.tapError(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))),
  )
  yield* natsRequest(resource, async () => {
    await manager.streams.delete(name)
    await restore(client, name, folder, { ...snapshot, config: { ...snapshot.config, ...wanted } })
  }).pipe(
    Effect.mapError(
      (cause) =>
        new ConfigurationError({
          setting: resource,
          message: `The ${resource} could not be made anew: ${cause.message}; it lies in ${folder}, bring it back with "nats stream restore ${folder}"`,
          cause,
        }),
    ),
  )
  yield* Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
})

const ask = async <A extends object>(
  client: NatsConnection,
  subject: string,
  question: object,
): Promise<A & Answer> => {
  const { data } = await client.request(subject, json.encode(question), { timeout: patience })
  return answered<A>(data)
}

const answered = <A extends object>(data: Uint8Array): A & Answer => {
  // What the JetStream API answers, by its documentation.
  const answer = json.decode(data) as A & Answer
  if (answer.error !== undefined) throw new Error(answer.error.description ?? "refused")
  return answer
}

const save = async (client: NatsConnection, name: string, folder: string, inboxPrefix: string | undefined) => {
  const inbox = inboxPrefix === undefined ? createInbox() : createInbox(inboxPrefix)
  const file = openSync(join(folder, "stream.tar.s2"), "wx", 0o600)
  const subscription = client.subscribe(inbox)
  try {
    const answer = await ask<Snapshot>(client, `$JS.API.STREAM.SNAPSHOT.${name}`, {
      deliver_subject: inbox,
      no_consumers: true,
      chunk_size: chunkSize,
      jsck: true,
    })
    const silence = setTimeout(() => subscription.unsubscribe(), patience)
    let whole = false
    for await (const message of subscription) {
      silence.refresh()
      if (message.headers !== undefined && message.headers.code >= 400) throw new Error(message.headers.description)
      whole = message.data.length === 0
      if (whole) break
      writeSync(file, message.data)
      message.respond()
    }
    clearTimeout(silence)
    if (!whole) throw new Error("its snapshot did not arrive whole")
    const { config, state } = answer
    writeFileSync(join(folder, "backup.json"), JSON.stringify({ config, state }), { mode: 0o600 })
    return { config, state }
  } finally {
    subscription.unsubscribe()
    closeSync(file)
  }
}

const restore = async (client: NatsConnection, name: string, folder: string, snapshot: Snapshot) => {
  const { deliver_subject: target = "" } = await ask(client, `$JS.API.STREAM.RESTORE.${name}`, snapshot)
  const file = openSync(join(folder, "stream.tar.s2"), "r")
  try {
    const chunk = Buffer.alloc(chunkSize)
    for (;;) {
      const length = readSync(file, chunk)
      if (length === 0) break
      await client.request(target, chunk.subarray(0, length), { timeout: patience })
    }
    // The end is an empty message, and its answer says whether the stream is there again.
    const { data } = await client.request(target, new Uint8Array(), { timeout: patience })
    answered<object>(data)
  } finally {
    closeSync(file)
  }
}

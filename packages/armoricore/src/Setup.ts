/** Creates or checks what the program stores in: streams, queues, buckets. Doing it again changes nothing. */
import { EventBus } from "@armoricore/bus/EventBus"
import { revocations } from "@armoricore/auth/Revocations"
import { History } from "@armoricore/history/History"
import { KeyValue } from "@armoricore/state/KeyValue"
import { usages } from "@armoricore/media/Quota"
import { mediaStates } from "@armoricore/state/MediaStates"
import { deliveryStates, inboxMessages, notificationStates, suppressions } from "@armoricore/state/NotificationStates"
import { transcriptStates } from "@armoricore/state/Transcripts"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { ledgerBucket } from "@armoricore/worker/Ledger"
import { Effect } from "effect"
import { consumers } from "./Services.ts"
import { Settings } from "./Settings.ts"

/** One line per resource. */
export const setup = Effect.gen(function* () {
  const settings = yield* Settings
  const bus = yield* EventBus
  const state = yield* KeyValue
  const history = yield* History
  const storage = yield* ObjectStorage
  const lines = [
    ...(yield* bus.setup(consumers)),
    ...(yield* state.setup([
      ledgerBucket,
      mediaStates.bucket,
      usages.bucket,
      transcriptStates.bucket,
      revocations.bucket,
    ])),
    ...(yield* state.setup(
      [notificationStates, deliveryStates, suppressions, inboxMessages].map(({ bucket }) => bucket),
    )),
  ]
  return [...lines, ...(yield* history.setup), yield* storage.setup(settings.OBJECT_STORAGE_BUCKET)]
})

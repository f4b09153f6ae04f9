/**
 * What `scripts/upgrade-fixture.ts` lets a released version do, and what `test/upgrade.test.ts` expects of the next one:
 * the same people, rooms and words on both sides.
 */
import { Schema } from "effect"

/** The recorded data of one release, in `test/fixtures/upgrade/`. */
export const fixturesPath = "test/fixtures/upgrade"

export const room = "harbour"
export const chatMessages = ["the tide is out", "the boat lies dry", "until six"]
export const user = "u1"

/** May publish in the next version alone: what it sends to the released one becomes a dead letter. */
export const futureSource = {
  EVENT_SOURCES: '{"php-backend":["media.uploaded","notification.requested"],"shop":["media.uploaded"]}',
}

/** No speech engine and no setting of the machine's own; the key is worth nothing outside these tests. */
export const env = {
  JWT_SECRET: "the secret of the upgrade fixture, known to all",
  SPEECH_ENGINE: "off",
  LOG_LEVEL: "error",
}

const Document = Schema.Record(Schema.String, Schema.Unknown)

/** The responses of the released version at its end. */
export const RecordedState = Schema.Struct({
  /** Of the release. */
  commit: Schema.String,
  /** Epoch milliseconds. */
  at: Schema.Finite,
  /** `GET /v1/media/{id}` of the one that is ready. */
  ready: Document,
  /** Uploaded, and published when the program had ended. */
  waiting: Schema.String,
  /** Published by `shop`. */
  refused: Schema.String,
  letter: Schema.String,
  notification: Document,
  inbox: Schema.Array(Document),
  chat: Schema.Array(Document),
})
export type RecordedState = typeof RecordedState.Type

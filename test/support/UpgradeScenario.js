/**
 * The scenario that `scripts/write-upgrade-fixture.ts` runs on an earlier version, and whose data `test/upgrade.test.ts`
 * expects from this version: the same user, room and messages.
 */
import { Schema } from "effect";
/** The folder with the recorded data of the earlier version. */
export const fixturesPath = "test/fixtures/upgrade";
export const room = "harbour";
export const chatMessages = ["the tide is out", "the boat lies dry", "until six"];
export const user = "u1";
/** Allows the source `shop`, which the earlier version does not know: its event becomes a dead letter there. */
export const futureSource = {
    EVENT_SOURCES: '{"php-backend":["media.uploaded","notification.requested"],"shop":["media.uploaded"]}',
};
/** No speech engine; the secret protects only test data. */
export const env = {
    JWT_SECRET: "the secret of the upgrade fixture, known to all",
    SPEECH_ENGINE: "off",
    LOG_LEVEL: "error",
};
const Document = Schema.Record(Schema.String, Schema.Unknown);
/** The last responses of the earlier version. */
export const RecordedState = Schema.Struct({
    /** The commit of the earlier version. */
    commit: Schema.String,
    /** Epoch milliseconds. */
    at: Schema.Finite,
    /** The response of `GET /v1/media/{id}` for the finished upload. */
    ready: Document,
    /** The media id of an upload whose event was published after the program had stopped. */
    waiting: Schema.String,
    /** The media id of the upload whose event `shop` published. */
    rejected: Schema.String,
    /** The id of the dead letter of that event. */
    deadLetter: Schema.String,
    notification: Document,
    inbox: Schema.Array(Document),
    chat: Schema.Array(Document),
});

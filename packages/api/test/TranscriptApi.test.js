import { search } from "@armoricore/api/TranscriptHandlers";
import * as Collection from "@armoricore/state/Collection";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts";
const document = {
    version: 1,
    transcription_id: "t1",
    media_id: "m1",
    language: "en",
    engine: "openai",
    quality: "standard",
    duration: 8,
    words: [],
    cues: [
        { start: 1, end: 3, lines: ["The captain found", "the café"] },
        { start: 4, end: 6, lines: ["again. The end."] },
    ],
    faults: [],
    notes: [],
};
const state = {
    media_id: "m1",
    user_id: "u1",
    status: "complete",
    percent: 100,
    source_event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
    requested_at: "2026-01-31T12:00:00Z",
    languages: {
        en: {
            transcription_id: "t1",
            transcript_file_path: "s3://media/transcripts/m1/t1/1/transcript.json",
            caption_urls: { vtt: "http://cdn/vtt", srt: "http://cdn/srt" },
            quality: "standard",
            engine: "openai",
            word_count: 8,
            requested_at: "2026-01-31T12:00:00Z",
            completed_at: "2026-01-31T12:01:00Z",
        },
    },
    updated_at: "2026-01-31T12:01:00Z",
};
describe("GET /v1/media/{id}/transcript", () => {
    it.live("shows the transcript to the owner and to operators, searches it, and responds with 404 for a missing one", () => Effect.gen(function* () {
        const storage = yield* ObjectStorage;
        yield* storage.setup("media");
        const states = yield* Collection.make(transcriptStates);
        yield* states.put("m1", state);
        yield* states.put("m2", { ...state, media_id: "m2", status: "processing", percent: 40, languages: {} });
        const text = new TextEncoder().encode(JSON.stringify(document));
        yield* storage.put({ bucket: "media", key: "transcripts/m1/t1/1/transcript.json" }, text, {
            contentType: "application/json",
        });
        const getTranscript = (token, path) => sendRequest("GET", `/v1/media/${path}`, { token });
        const ownerToken = yield* signToken("u1");
        const whole = yield* getTranscript(ownerToken, "m1/transcript");
        assert.strictEqual(whole.status, 200);
        assert.deepInclude(whole.body, { language: "en", languages: ["en"], cues: document.cues });
        const found = yield* getTranscript(ownerToken, "m1/transcript?q=CAFE%20again&language=en");
        assert.deepInclude(found.body, {
            matches: [{ start: 1, end: 3, text: "The captain found the café again. The end." }],
        });
        assert.deepInclude((yield* getTranscript(ownerToken, "m2/transcript")).body, {
            status: "processing",
            percent: 40,
        });
        assert.strictEqual((yield* getTranscript(ownerToken, "m1/transcript?language=fr")).status, 404);
        assert.strictEqual((yield* getTranscript(ownerToken, "m3/transcript")).status, 404);
        assert.strictEqual((yield* getTranscript(yield* signToken("op", "operator"), "m1/transcript")).status, 200);
        assert.strictEqual((yield* getTranscript(yield* signToken("u2"), "m1/transcript")).status, 403);
        assert.strictEqual((yield* sendRequest("GET", "/v1/media/m1/transcript")).status, 401);
    }).pipe(Effect.provide(apiServer())));
    // regression: only the start of a cue was found
    it("finds a phrase within a cue in scripts without spaces", () => {
        assert.deepStrictEqual(search([{ start: 0, end: 1, lines: ["我們在東京都"] }], "東京").map(({ start }) => start), [0]);
    });
    it("finds word prefixes, once per cue", () => {
        const at = (q) => search(document.cues, q).map(({ start }) => start);
        assert.deepStrictEqual(at("the"), [1, 4]);
        assert.deepStrictEqual(at("capt"), [1]);
        assert.deepStrictEqual(at("aptain"), []);
        assert.deepStrictEqual(at(" . "), []);
    });
});

/** Jobs of media and transcriptions. */
import { work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as Collection from "@armoricore/state/Collection";
import { mediaStates } from "@armoricore/state/MediaStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { assert } from "@effect/vitest";
import { Duration, Effect, Stream } from "effect";
import { withToken, tokenFor } from "../OperatorHarness.ts";
import { eventually } from "@armoricore/testing/Eventually";
import { publish, uploadedEvent } from "./Harness.ts";
export const jobBehaviour = (test) => {
    test("lists, watches, cancels and retries jobs", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        const states = yield* Collection.make(mediaStates);
        const state = {
            media_id: "m1",
            user_id: "ada",
            status: "processing",
            stage: "transcoding",
            percent: 40,
            source_event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            generations: {},
            attempts: [],
            renditions: [],
            timings: {},
            updated_at: "2026-01-01T00:00:00.000Z",
        };
        yield* states.put("m1", state);
        const arrivals = [];
        const bus = yield* EventBus;
        yield* Effect.forEach(["control", "retry"], (kind) => bus.consume({ name: `test-${kind}`, from: { channel: "work", service: "media", kind }, concurrency: 1 }, ({ body }) => Effect.sync(() => {
            arrivals.push(`${kind} ${JSON.stringify(JSON.parse(new TextDecoder().decode(body)).payload)}`);
            return { _tag: "Ack" };
        })));
        assert.deepInclude((yield* op(client.ListJobs({})))[0], { media_id: "m1", stage: "transcoding", percent: 40 });
        assert.deepStrictEqual(yield* op(client.ListJobs({ status: "failed" })), []);
        const watched = [];
        yield* Effect.forkScoped(op(Stream.runForEach(client.WatchJobs({}), (jobs) => Effect.sync(() => void watched.push(jobs.map(({ media_id, stage }) => `${media_id} ${stage}`))))));
        yield* eventually(Effect.sync(() => watched), ({ length }) => length > 0);
        yield* publish(uploadedEvent("m2"));
        yield* eventually(Effect.sync(() => watched), (all) => all.some(([newest]) => newest === "m2 queued"));
        assert.strictEqual((yield* op(client.ListJobs({ query: "m2" })))[0]?.trace_id, "0af7651916cd43dd8448eb211c80319c");
        yield* op(client.CancelJob({ media_id: "m1" }));
        const early = yield* Effect.flip(op(client.RetryJob({ media_id: "m1" })));
        assert.deepInclude(early, { code: "not_failed" });
        const upload = { media_id: "m1", user_id: "ada", file_path: "s3://media/a.mp4" };
        yield* states.put("m1", { ...state, status: "failed", upload });
        assert.deepInclude(yield* Effect.flip(op(client.CancelJob({ media_id: "m1" }))), { code: "not_processing" });
        yield* op(client.RetryJob({ media_id: "m1" }));
        yield* eventually(Effect.sync(() => arrivals), ({ length }) => length === 2);
        assert.deepStrictEqual(arrivals, [
            'control {"action":"cancel","media_id":"m1"}',
            'retry {"media_id":"m1","user_id":"ada"}',
        ]);
        assert.deepInclude(yield* Effect.flip(op(client.GetJob({ media_id: "nobody" }))), { code: "not_found" });
    }));
    test("lists and watches transcriptions beside media, cancels queued and running ones, and retries them", (client) => Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }));
        const bus = yield* EventBus;
        const ledger = yield* Ledger;
        const states = yield* Collection.make(transcriptStates);
        const requested = {
            media_id: "m1",
            user_id: "ada",
            source_file_path: "s3://media/a.mp4",
        };
        const state = {
            media_id: "m1",
            user_id: "ada",
            status: "processing",
            percent: 40,
            source_event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            requested_at: "2026-01-01T00:00:00.000Z",
            request: requested,
            trace_id: "0af7651916cd43dd8448eb211c80319c",
            languages: {},
            updated_at: "2026-01-01T00:00:00.000Z",
        };
        yield* states.put("m1", state);
        const about = { kind: "transcription", media_id: "m1" };
        const [job] = yield* op(client.ListJobs({}));
        assert.deepInclude(job, { ...about, stage: "transcribing", percent: 40, trace_id: state.trace_id });
        assert.deepStrictEqual(yield* op(client.ListJobs({ kind: "media" })), []);
        assert.deepInclude(yield* Effect.flip(op(client.CancelJob({ media_id: "m1" }))), { code: "not_found" });
        // Its progress comes without an event.
        const seen = [];
        yield* Effect.forkScoped(op(Stream.runForEach(client.WatchJobs({ kind: "transcription" }), (jobs) => Effect.sync(() => void seen.push(jobs.find(({ media_id }) => media_id === "m1")?.percent)))));
        yield* eventually(Effect.sync(() => seen), (all) => all.includes(40));
        yield* states.put("m1", { ...state, percent: 65 });
        yield* eventually(Effect.sync(() => seen), (all) => all.includes(65));
        // No worker has started this one; the worker that receives it ends it.
        const waiting = { ...uploadedEvent("m2"), event_type: "transcription.requested" };
        yield* publish({ ...waiting, payload: { ...requested, media_id: "m2" } });
        yield* eventually(op(client.ListJobs({ query: "m2" })), ([one]) => one?.stage === "queued");
        yield* op(client.CancelJob({ ...about, media_id: "m2" }));
        const claimed = yield* ledger.acquire(`ai-transcription-requested.${waiting.event_id}`, "w", Duration.minutes(1));
        assert.include(claimed._tag === "Acquired" ? claimed.lease.cancelReason : "", "ended by request");
        const film = uploadedEvent("m3");
        yield* publish(film);
        yield* eventually(op(client.ListJobs({ query: "m3" })), ([one]) => one?.stage === "queued");
        yield* op(client.CancelJob({ media_id: "m3" }));
        // regression: a cancelled job was listed as queued until a worker received it
        const [ended] = yield* op(client.ListJobs({ query: "m3" }));
        assert.deepInclude(ended, { status: "failed", retryable: false });
        assert.strictEqual(ended?.error?.code, "cancelled");
        const soon = yield* Effect.flip(op(client.RetryJob({ media_id: "m3" })));
        assert.include(soon.message, "is being cancelled");
        const upload = yield* ledger.acquire(`media-media-uploaded.${film.event_id}`, "w", Duration.minutes(1));
        assert.include(upload._tag === "Acquired" ? upload.lease.cancelReason : "", "ended by request");
        yield* op(client.CancelJob(about));
        assert.deepInclude(yield* Effect.flip(op(client.RetryJob(about))), { code: "not_failed" });
        yield* states.put("m1", { ...state, status: "failed", failed: { code: "cancelled", message: "ended" } });
        yield* eventually(op(client.GetJob(about)), ({ status }) => status === "failed");
        const arrivals = [];
        yield* bus.consume({ name: "test-again", from: work("ai", "retry"), concurrency: 1 }, ({ body, id }) => Effect.sync(() => {
            arrivals.push(`${id} ${JSON.stringify(JSON.parse(new TextDecoder().decode(body)).payload)}`);
            return { _tag: "Ack" };
        }));
        yield* op(client.RetryJob(about));
        const again = yield* eventually(op(client.ListJobs({ query: "m1" })), ([one]) => one?.stage === "queued");
        yield* eventually(Effect.sync(() => arrivals), ({ length }) => length === 1);
        assert.deepStrictEqual(arrivals, [`${again[0]?.event_id} {"media_id":"m1","user_id":"ada"}`]);
        yield* states.put("m1", { ...state, source_event_id: again[0]?.event_id ?? "", percent: 10 });
        yield* eventually(op(client.ListJobs({ query: "m1" })), ([one]) => one?.percent === 10);
        const { request: _unknown, ...old } = state;
        yield* states.put("m4", { ...old, media_id: "m4", status: "failed" });
        const refused = yield* Effect.flip(op(client.RetryJob({ ...about, media_id: "m4" })));
        assert.deepInclude(refused, { code: "request_not_found" });
    }));
};

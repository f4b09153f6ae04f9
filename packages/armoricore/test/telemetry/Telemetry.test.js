/** The data that a collector receives from the running program: one upload is one trace, from the request to the socket. */
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
import { readFile } from "node:fs/promises";
import * as UploadClient from "@armoricore/demo/UploadClient";
import { watchMedia } from "@armoricore/demo/MediaWatcher";
import { request } from "../support/ApiClient.ts";
import * as TestClip from "../support/TestClip.ts";
import * as OtlpCollector from "../support/OtlpCollector.ts";
import * as ProgramFixture from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const ffmpeg = Programs.requireProgram("ffmpeg");
const trace = "0af7651916cd43dd8448eb211c80319c";
const caller = "b7ad6b7169203331";
const traceparent = `00-${trace}-${caller}-01`;
describe("telemetry", () => {
    it.live("spans and metrics reach the collector of OTEL_EXPORTER_OTLP_ENDPOINT before the program ends", () => Effect.gen(function* () {
        const { textOf, url } = yield* OtlpCollector.start;
        const program = yield* ProgramProcess.launch(["start"], {
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            PORT: "0",
            OTEL_EXPORTER_OTLP_ENDPOINT: url,
            OTEL_SERVICE_NAME: "of-this-test",
        });
        yield* program.waitForOutput(/armoricore listens on/);
        yield* program.signal("SIGTERM");
        assert.strictEqual((yield* program.exited).code, 0);
        assert.include(textOf("traces"), '"of-this-test"');
        assert.include(textOf("traces"), '"Worker.run"');
        assert.include(textOf("metrics"), '"of-this-test"');
        assert.include(textOf("logs"), "serving media");
        const ids = ["traces", "metrics", "logs"].map((signal) => /"service\.instance\.id","value":\{"stringValue":"([^"]+)"/.exec(textOf(signal))?.[1]);
        assert.match(ids[0] ?? "", /^[0-9a-f-]{36}$/);
        assert.deepStrictEqual(ids, [ids[0], ids[0], ids[0]]);
    }));
});
/** One upload through the whole program. `known`: how the backend sends its trace. */
const uploaded = Effect.fnUntraced(function* (known) {
    const collector = yield* OtlpCollector.start;
    const env = {
        ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    };
    const { program, url } = yield* ProgramFixture.start(env);
    const token = yield* ProgramFixture.tokenFor(env, "--user", "u1");
    const headers = known === "headers" ? { traceparent } : undefined;
    const clip = yield* TestClip.make(ffmpeg.path, 2);
    const body = yield* Effect.promise(() => readFile(clip));
    const granted = yield* request(`${url}/v1/uploads`, {
        method: "POST",
        headers: { ...headers, authorization: `Bearer ${token}` },
        body: JSON.stringify({ filename: "clip.mp4", content_type: "video/mp4", size: body.length }),
    });
    const grant = yield* Schema.decodeUnknownEffect(UploadClient.UploadGrant)(granted.json);
    yield* request(grant.upload_url, { method: "PUT", headers: { ...grant.headers, ...headers }, body });
    const ready = yield* watchMedia(url, token, grant.media_id, () => { });
    const reported = yield* request(`${url}/v1/events`, {
        method: "POST",
        headers: {
            ...headers,
            authorization: `Bearer ${yield* ProgramFixture.tokenFor(env, "--user", "php", "--role", "publisher")}`,
        },
        body: JSON.stringify({
            event_type: "media.uploaded",
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            request_id: "request-7",
            ...(known === "headers" ? {} : { traceparent }),
            payload: { media_id: grant.media_id, user_id: "u1", file_path: grant.file_path },
        }),
    });
    assert.strictEqual(reported.status, 202);
    yield* ready;
    yield* program.signal("SIGTERM");
    yield* program.exited;
    return { spans: collector.spans(), mediaId: grant.media_id };
});
/** Name and kind of each span, and its parent. */
const hops = [
    ["publish armoricore.media.uploaded", 4, undefined],
    ["process armoricore.media.uploaded", 5, "publish armoricore.media.uploaded"],
    ["Ffmpeg.run", 1, "process armoricore.media.uploaded"],
    ["storage get", 3, "process armoricore.media.uploaded"],
    ["storage put", 3, "process armoricore.media.uploaded"],
    ["publish armoricore.media.ready", 4, "process armoricore.media.uploaded"],
    ["deliver armoricore.media.ready", 5, "publish armoricore.media.ready"],
    ["process armoricore.media.ready", 5, "publish armoricore.media.ready"],
];
describe.skipIf(ffmpeg.missing)("one upload is one trace", () => {
    for (const known of ["headers", "the event"]) {
        it.live(`that starts with the ${known} of the backend and reaches the socket`, () => Effect.gen(function* () {
            const { mediaId, spans } = yield* uploaded(known);
            const mine = spans.filter(({ traceId }) => traceId === trace);
            const byId = new Map(mine.map((span) => [span.spanId, span]));
            const above = (span) => {
                const parent = byId.get(span.parentSpanId ?? "");
                return parent === undefined ? [] : [parent.name, ...above(parent)];
            };
            for (const [name, kind, before] of hops) {
                const found = mine.filter((span) => span.name === name);
                assert.isAbove(found.length, 0, `${name} is not in the trace`);
                for (const span of found)
                    assert.strictEqual(span.kind, kind, name);
                if (before !== undefined)
                    assert.include(found.flatMap(above), before, name);
            }
            const requests = mine.filter(({ kind }) => kind === 2).map(({ name }) => name);
            assert.sameMembers(requests, known === "headers" ? ["POST /v1/uploads", "PUT /objects/:id", "POST /v1/events"] : []);
            // Every span descends from the caller's span.
            const roots = mine.filter(({ parentSpanId }) => !byId.has(parentSpanId ?? ""));
            for (const root of roots)
                assert.strictEqual(root.parentSpanId, caller, root.name);
            for (const name of ["process armoricore.media.uploaded", "deliver armoricore.media.ready"]) {
                const span = mine.find((one) => one.name === name);
                assert.strictEqual(span === undefined ? "" : OtlpCollector.attribute(span, "armoricore.media_id"), mediaId);
                assert.strictEqual(span === undefined ? "" : OtlpCollector.attribute(span, "armoricore.request_id"), "request-7");
            }
            // Every attribute has a namespace (effect: spans that the stop interrupted), and spans of messages have those by which backends group them.
            for (const { attributes, kind, name } of spans) {
                const names = attributes.map(({ key }) => key);
                assert.deepStrictEqual(names.filter((key) => !/^(armoricore|messaging|http|url|server|client|user_agent|error|code|exception|effect)\./.test(key)), [], name);
                if (kind !== 4 && kind !== 5)
                    continue;
                const common = ["system", "destination.name", "operation.name", "operation.type", "message.id"];
                assert.includeMembers(names, common.map((key) => `messaging.${key}`), name);
            }
            // No other trace has spans of this upload, except requests without a trace of their own.
            const named = new Set(spans.filter(({ kind }) => kind === 2).map(({ traceId }) => traceId));
            const others = spans.filter(({ traceId }) => traceId !== trace && !named.has(traceId));
            assert.notInclude(JSON.stringify(others), mediaId);
        }));
    }
});

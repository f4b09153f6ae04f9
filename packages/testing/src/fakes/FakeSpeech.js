/**
 * A server of OpenAI's transcription API for tests. It really decodes what it is sent and hears {@link ToneSpeech}; it
 * refuses what the real one refuses (no model, a wrong key, more than 25 MB, granularities without brackets, formats
 * that the model does not have), and has the habits for which servers are known, one by one.
 */
import { Context, Effect, Layer } from "effect";
import { spawnSync } from "node:child_process";
import * as FakeHttpServer from "./FakeHttpServer.ts";
import * as ToneSpeech from "./ToneSpeech.ts";
export const apiKey = "sk-of-the-fake";
/** The base URL of an Azure OpenAI deployment, after the host. */
export const azureBase = "/openai/deployments/whisper?api-version=2024-06-01";
const azurePath = "/openai/deployments/whisper/audio/transcriptions?api-version=2024-06-01";
export class FakeSpeech extends Context.Service()("@armoricore/testing/FakeSpeech") {
    static layer = Layer.effect(FakeSpeech, Effect.suspend(() => make));
}
const make = Effect.gen(function* () {
    const behavior = {
        timestampFormat: "words",
        dropAfter: Number.POSITIVE_INFINITY,
        clockRate: 1,
        nanoseconds: false,
        rateLimitedRequests: 0,
        failingRequests: 0,
        wordless: false,
        hallucination: undefined,
        repeatedWords: 0,
        language: () => "english",
    };
    const transcriptions = [];
    const statuses = [];
    const refuse = (status, message, headers = {}) => ({
        status,
        headers,
        body: JSON.stringify({ error: { message, type: "invalid_request_error" } }),
    });
    const answer = async (request) => {
        const isAzure = request.path === azurePath;
        if (!isAzure && request.path !== "/v1/audio/transcriptions" && request.path !== "/inference")
            return refuse(404, "no such path");
        const compatible = request.path === "/inference";
        const hasKey = isAzure
            ? request.headers["api-key"] === apiKey && request.headers.authorization === undefined
            : request.headers.authorization === `Bearer ${apiKey}`;
        if (!compatible && !hasKey)
            return refuse(401, "Incorrect API key provided");
        if (request.body.byteLength > 25 * 1024 * 1024)
            return refuse(413, "Maximum content size limit exceeded");
        if (behavior.rateLimitedRequests > 0) {
            behavior.rateLimitedRequests--;
            return refuse(429, "Rate limit reached", { "retry-after": "0.05" });
        }
        if (behavior.failingRequests > 0) {
            behavior.failingRequests--;
            return refuse(500, "The server had an error");
        }
        const headers = { "content-type": request.headers["content-type"] ?? "" };
        const form = await new Response(new Uint8Array(request.body), { headers }).formData();
        const fields = new Map();
        let file;
        form.forEach((value, name) => {
            if (typeof value === "string")
                fields.set(name, [...(fields.get(name) ?? []), value]);
            else if (name === "file")
                file = value;
        });
        const format = fields.get("response_format")?.[0] ?? "json";
        const model = fields.get("model")?.[0];
        if (file === undefined)
            return refuse(400, "file is required");
        if (!compatible && model === undefined)
            return refuse(400, "you must provide a model parameter");
        if (model?.startsWith("gpt-") === true && format !== "json") {
            return refuse(400, `response_format '${format}' is not compatible with model '${model}'`);
        }
        const samples = decode(Buffer.from(await file.arrayBuffer()));
        if (samples === undefined)
            return refuse(400, "Invalid file format.");
        const seconds = samples.length / ToneSpeech.sampleRate;
        transcriptions.push({ seconds, fields });
        const granularities = fields.get("timestamp_granularities[]") ?? ["segment"];
        return { status: 200, body: JSON.stringify(transcribe(samples, seconds, format, granularities, compatible)) };
    };
    const transcribe = (samples, seconds, format, granularities, compatible) => {
        const spoken = behavior.wordless ? [] : ToneSpeech.recognize(samples).filter(({ end }) => end <= behavior.dropAfter);
        const last = spoken.at(-1)?.end ?? 0;
        const loop = Array.from({ length: behavior.repeatedWords }, (_, index) => ({
            text: "so",
            start: last + index * 0.01,
            end: last + index * 0.01 + 0.01,
        }));
        const invented = (behavior.hallucination ?? "")
            .split(" ")
            .filter((text) => text !== "")
            .map((text, index) => ({ text, start: seconds - 0.15 + index * 0.01, end: seconds - 0.14 + index * 0.01 }));
        const unit = behavior.nanoseconds ? 1e9 : 1;
        const words = [...spoken, ...loop, ...invented].map(({ end, start, text }) => ({
            text,
            start: start * behavior.clockRate * unit,
            end: end * behavior.clockRate * unit,
        }));
        const text = words.map((word) => word.text).join(" ");
        if (format === "json" || behavior.timestampFormat === "text")
            return { text };
        const groups = [];
        for (let at = 0; at < words.length; at += 8)
            groups.push(words.slice(at, at + 8));
        const segments = groups.map((group, id) => ({
            id,
            start: group[0]?.start ?? 0,
            end: group.at(-1)?.end ?? 0,
            text: ` ${group.map((word) => word.text).join(" ")}`,
            avg_logprob: -0.2,
            no_speech_prob: 0.01,
            // whisper.cpp gives out tokens: the first half of a word begins with a blank, the second does not.
            ...(behavior.timestampFormat === "nested" && compatible ? { words: group.flatMap(tokens) } : {}),
        }));
        return {
            task: "transcribe",
            language: behavior.language(seconds),
            duration: seconds,
            text,
            segments,
            ...(behavior.timestampFormat === "words" && granularities.includes("word")
                ? { words: words.map(({ end, start, text }) => ({ word: text, start, end })) }
                : {}),
        };
    };
    const url = yield* FakeHttpServer.listenHttp(async (request) => {
        const answered = await answer(request);
        statuses.push(answered.status);
        return answered;
    });
    return { url, behavior, transcriptions, statuses };
});
const tokens = ({ end, start, text }) => {
    const middle = (start + end) / 2;
    return [
        { word: ` ${text.slice(0, 1)}`, start, end: middle, probability: 0.9 },
        { word: text.slice(1), start: middle, end, probability: 0.8 },
    ];
};
const decode = (file) => {
    const bytes = file.subarray(0, 4).toString("latin1") === "RIFF"
        ? file.subarray(44)
        : spawnSync("ffmpeg", "-v error -i pipe:0 -f s16le -ar 16000 -ac 1 pipe:1".split(" "), {
            input: file,
            maxBuffer: 64 * 1024 * 1024,
        }).stdout;
    if (bytes.byteLength === 0)
        return undefined;
    return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength - (bytes.byteLength % 2)));
};

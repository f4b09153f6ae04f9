import { FakeSpeech, apiKey } from "@armoricore/testing/fakes/FakeSpeech";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as Browser from "../support/Browser.ts";
import { request, retryUntil } from "../support/ApiClient.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
import * as SpeechVideo from "../support/SpeechVideo.ts";
const browser = Programs.requireProgram("chromium");
const ffmpeg = Programs.requireProgram("ffmpeg");
describe.skipIf(browser.missing || ffmpeg.missing)("the transcript on the demo page in Chromium", () => {
    it.live("seeks to a clicked cue and marks it", () => Effect.gen(function* () {
        const speech = yield* FakeSpeech;
        const demo = yield* ProgramProcess.launch(["demo", "--input", yield* SpeechVideo.make(ffmpeg.path)], {
            LOG_FORMAT: "json",
            SPEECH_ENGINE: "openai",
            SPEECH_BASE_URL: `${speech.url}/v1`,
            SPEECH_API_KEY: apiKey,
        });
        const [, url = ""] = yield* demo.waitForOutput(/Open (http:\S+) in a browser/);
        // Captions follow the stream. The page opens after they exist, so that it reloads nothing.
        const [hls] = yield* demo.waitForOutput(/http:\S+\.m3u8/);
        yield* retryUntil(request(hls), ({ json }) => String(json).includes("TYPE=SUBTITLES"));
        const context = yield* Browser.open({ executablePath: browser.path });
        const faults = [];
        const page = yield* Effect.promise(() => context.newPage());
        page.on("pageerror", (error) => faults.push(String(error)));
        const marked = () => page.$$eval("#transcript-cues [aria-current]", (all) => all.map((one) => one.textContent));
        const cues = yield* Effect.promise(async () => {
            await page.goto(url);
            await Browser.waitFor(page, "document.querySelectorAll('#transcript-cues button').length >= 2");
            await Browser.waitFor(page, "document.querySelector('#video').readyState >= 2");
            // From here on only a seek changes the position.
            await page.evaluate("document.querySelector('#video').pause()");
            return page.$$eval("#transcript-cues button", (all) => all.map(({ textContent }) => textContent ?? ""));
        });
        const jump = (index) => Effect.promise(async () => {
            await page.click(`#transcript-cues li:nth-child(${index + 1}) button`);
            await Browser.waitFor(page, "!document.querySelector('#video').seeking");
            await page.waitForSelector(`#transcript-cues li:nth-child(${index + 1}) button[aria-current=true]`);
            assert.deepStrictEqual(await marked(), [cues[index] ?? ""]);
            return page.evaluate("document.querySelector('#video').currentTime");
        });
        // Each sentence starts with the words w0 w1.
        const [early = -1, late = -1] = cues.flatMap((cue, index) => (/ w0 w1/.test(cue) ? [index] : []));
        const { first, second } = SpeechVideo.sentenceStarts;
        assert.approximately(yield* jump(late), second, 0.3);
        assert.approximately(yield* jump(early), first, 0.3);
        assert.deepStrictEqual(faults, []);
    }).pipe(Effect.provide(FakeSpeech.layer)), 180_000);
});

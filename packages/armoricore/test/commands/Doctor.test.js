import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as ProgramProcess from "../support/ProgramProcess.ts";
describe("doctor", () => {
    it.live("reports an unreachable bus and state, and no other failure", () => Effect.gen(function* () {
        const { code, stdout } = yield* ProgramProcess.run(["doctor"], {
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            MESSAGE_BUS_URL: "amqp://127.0.0.1:1",
            STATE_URL: "postgres://user:secret@127.0.0.1:1/x",
        });
        assert.strictEqual(code, 1);
        const failures = [...stdout.matchAll(/^FAULT {2}(\w+) +(.*)$/gm)].map(([, name, detail]) => `${name}: ${detail}`);
        assert.deepStrictEqual(failures.filter((line) => !/^(ffmpeg|ffprobe|speech)/.test(line)), [
            "bus: cannot connect to RabbitMQ at 127.0.0.1:1",
            "state: the state in PostgreSQL cannot be used: connect ECONNREFUSED 127.0.0.1:1",
        ]);
        assert.include(stdout, "ok     storage");
    }).pipe(Effect.scoped), 60_000);
});

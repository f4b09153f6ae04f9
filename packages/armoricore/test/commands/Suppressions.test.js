/** `armoricore suppressions` on the state of the embedded default, and over the operator API of a running program. */
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as ProgramProcess from "../support/ProgramProcess.ts";
describe("suppressions from the command line", () => {
    it.live("are listed, added, removed and exported, with and without --url", () => Effect.gen(function* () {
        const data = yield* ProgramProcess.temporaryDirectory;
        const env = { ARMORICORE_DATA_DIR: data, PORT: "0", LOG_LEVEL: "none", JWT_SECRET: "a secret of this test" };
        const program = yield* ProgramProcess.launch(["start"], env);
        const [, url = ""] = yield* program.waitForOutput(/armoricore listens on (\S+)/);
        const suppressions = (...args) => ProgramProcess.run(["suppressions", ...args], env);
        const added = yield* suppressions("add", "Anna@example.org", "--note", "asked by phone");
        assert.match(added.stdout, /^[0-9a-f]{64}\t\S+\tmanual\t\tarmoricore-cli\tasked by phone\n$/);
        const [hash = ""] = added.stdout.split("\t");
        const remote = ["--url", url];
        assert.strictEqual((yield* suppressions("list", "--address", "anna@example.org", ...remote)).stdout, added.stdout);
        const exported = yield* suppressions("export", ...remote);
        assert.match(exported.stdout, new RegExp(`^hash,category,.*\n${hash},,manual,`));
        assert.strictEqual((yield* suppressions("remove", hash, ...remote)).stdout, `removed ${hash}\n`);
        const again = yield* suppressions("remove", hash);
        assert.strictEqual(again.code, 1);
        assert.include(again.stderr, `${hash} is not suppressed`);
        const wrong = yield* suppressions("add", "anna");
        assert.strictEqual(wrong.code, 1);
        assert.include(wrong.stderr, "64 hex digits");
    }), 120_000);
});

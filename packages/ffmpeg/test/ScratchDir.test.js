import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Effect, FileSystem, Layer, Path } from "effect";
describe("ScratchDir", () => {
    it.live("removes the folders of killed processes only", () => Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const path = yield* Path.Path;
        const parent = yield* fs.makeTempDirectoryScoped();
        const build = Layer.build(ScratchDir.layer(parent));
        yield* build;
        const [own = ""] = yield* fs.readDirectory(parent);
        // No process has this id: Linux ends at 2^22.
        const dead = own.replace(/-[0-9]+-/, "-99999999-");
        const restarted = own.replace(/.{4}$/, "0000");
        yield* fs.makeDirectory(path.join(parent, dead));
        yield* fs.makeDirectory(path.join(parent, restarted));
        yield* fs.makeDirectory(path.join(parent, "something-else"));
        yield* build;
        const left = yield* fs.readDirectory(parent);
        assert.notInclude(left, dead);
        assert.notInclude(left, restarted);
        assert.include(left, own);
        assert.include(left, "something-else");
    }).pipe(Effect.provide(NodeServices.layer)));
});

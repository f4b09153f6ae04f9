/**
 * The files of deploy/ match the code: every variable, port, route, metric, service and consumer that these files name
 * exists, and the settings that each process would start with are read by the program's own reader without a fault.
 */
import { allConsumers, serviceNames as services } from "@armoricore/armoricore/app/Services";
import { Settings } from "@armoricore/armoricore/settings/Settings";
import { settingsTable } from "@armoricore/armoricore/settings/Table";
import * as NodeServices from "@effect/platform-node/NodeServices";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Duration, Effect } from "effect";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { document, documents, DocumentNode, readRepoFile, root, filesUnder } from "./support/RepoFiles.ts";
const port = String(settingsTable.PORT.fallback);
const routes = readRepoFile("packages/armoricore/src/app/Readiness.ts");
const dockerfile = readRepoFile("deploy/Dockerfile");
const imageSettings = Object.fromEntries([...dockerfile.matchAll(/^(?:ENV| ) +([A-Z_]+)=(\S+)/gm)]
    .map(([, name = "", value = ""]) => [name, value])
    // Not a setting; and two programs that this machine may not have.
    .filter(([name]) => !["NODE_ENV", "FFMPEG_PATH", "FFPROBE_PATH"].includes(name)));
const isSetting = (name) => Object.hasOwn(settingsTable, name.replace(/_FILE$/, ""));
/** The program's own reader takes these settings, and knows every one of them. */
const settingsOf = (env) => Effect.gen(function* () {
    for (const name of Object.keys(env))
        assert.isTrue(isSetting(name), `${name} is no setting`);
    return yield* Settings;
}).pipe(Effect.provide(Settings.layer), Effect.provide(NodeServices.layer), Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...imageSettings, ...env }))));
const seconds = (text) => Number(/^(\d+)s?$/.exec(text)?.[1]);
/** The command line that a container gets is one that the program takes. */
const isCommand = (args) => args.join(" ") === "setup" ||
    (args[0] === "start" && args[1] === "--services" && services.some((service) => service === args[2]));
describe("every file", () => {
    for (const path of filesUnder("deploy").filter((name) => /\.(ya?ml|json)$/.test(name))) {
        it(`${path} is valid`, () => {
            if (path.endsWith(".json"))
                assert.isObject(JSON.parse(readRepoFile(path)));
            else
                for (const { value } of documents(path))
                    assert.isObject(value);
        });
    }
});
const promtool = Programs.requireProgram("promtool");
describe.skipIf(promtool.missing)("prometheus", () => {
    for (const [check, file] of [
        ["rules", "alerts.yaml"],
        ["config", "prometheus.yml"],
    ]) {
        it(`${file} passes promtool check ${check}`, () => {
            const path = join(root, "deploy/prometheus", file);
            const { status, stderr, stdout } = spawnSync(promtool.path, ["check", check, path], { encoding: "utf8" });
            assert.strictEqual(status, 0, stdout + stderr);
        });
    }
});
describe("Dockerfile", () => {
    it.effect("names settings that exist, and the port they say", () => Effect.gen(function* () {
        const settings = yield* settingsOf({});
        assert.strictEqual(settings.HOST, "0.0.0.0");
        assert.include(dockerfile, `EXPOSE ${settings.PORT}\n`);
        assert.include(dockerfile, `http://127.0.0.1:${settings.PORT}/healthz`);
        assert.include(dockerfile, `VOLUME ${settings.ARMORICORE_DATA_DIR}\n`);
        for (const name of ["FFMPEG_PATH", "FFPROBE_PATH"])
            assert.isTrue(isSetting(name));
    }));
    it("starts the program, not as root", () => {
        const entry = /ENTRYPOINT (\[.*\])/.exec(dockerfile)?.[1] ?? "[]";
        const file = new DocumentNode(JSON.parse(entry)).texts().at(-1) ?? "";
        assert.isTrue(existsSync(join(root, file)), file);
        // The entry's own first line asks for the same flag.
        assert.include(readRepoFile(file).split("\n")[0] ?? "", new DocumentNode(JSON.parse(entry)).texts()[1] ?? "nothing");
        assert.match(dockerfile, /^USER 1000:1000$/m);
    });
    it("copies the built console and the bundle of the client into the image", () => {
        // With all packages, `npm ci` runs the script `prepare`.
        assert.match(dockerfile, /^FROM \S+ AS console$(?:(?!^FROM )[^])*^RUN npm ci (?!.*--omit)/m);
        const builds = document("package.json").get("scripts", "prepare").text().split(" && ");
        assert.deepStrictEqual(builds.map((command) => /^node packages\/(\S+?)\//.exec(command)?.[1]), ["operator", "client"]);
        for (const command of builds)
            assert.isTrue(existsSync(join(root, command.slice("node ".length))), command);
        assert.match(dockerfile, /^COPY --from=console \/app\/packages\/operator\/console packages\/operator\/console$/m);
        assert.match(dockerfile, /^COPY --from=console \/app\/packages\/client\/bundle packages\/client\/bundle$/m);
    });
});
describe("compose.yaml", () => {
    const compose = document("deploy/compose.yaml");
    const all = compose.get("services").entries();
    const own = all.filter(([, service]) => service.get("image").text() === "armoricore");
    const asked = [...readRepoFile("deploy/compose.yaml").matchAll(/\$\{([A-Z_]+)/g)].map(([, name = ""]) => name);
    it("runs every service, and the setup before them", () => {
        assert.sameMembers(own.map(([name]) => name), ["setup", ...services]);
        for (const [name, service] of own)
            assert.isTrue(isCommand(service.get("command").texts()), name);
    });
    for (const [name, service] of own) {
        it.effect(`${name} starts with settings that the program takes`, () => Effect.gen(function* () {
            const env = service
                .get("environment")
                .entries()
                .map(([key, value]) => {
                return [key, value.text().replaceAll(/\$\{[^}]*\}/g, "0123456789abcdef0123456789abcdef")];
            });
            const settings = yield* settingsOf(Object.fromEntries(env));
            const user = new URL(settings.MESSAGE_BUS_URL?.[0] ?? "nats://unknown@x").username;
            assert.strictEqual(user, name);
            assert.include(readRepoFile("deploy/nats.conf"), `user: ${user}, password:`);
            assert.strictEqual(settings.NATS_INBOX_PREFIX, name === "setup" ? undefined : `_INBOX_${name}`);
            assert.strictEqual(settings.NATS_SETUP, name === "setup" ? "apply" : "verify");
            assert.isAbove(seconds(service.get("stop_grace_period").text()), Duration.toSeconds(settings.DRAIN_TIMEOUT), "the container is killed while it drains");
            for (const address of [settings.MESSAGE_BUS_URL?.[0], settings.STATE_URL, settings.OBJECT_STORAGE_ENDPOINT])
                assert.isTrue(Object.hasOwn(compose.get("services").record(), new URL(address ?? "").hostname), address);
        }));
    }
    it("gives the key of unsubscribe links to who makes them and to who answers them", () => {
        for (const name of ["notify", "realtime"])
            assert.include(compose.get("services", name, "environment", "JWT_SECRET").text(), "JWT_SECRET");
    });
    it("gives the key of playback URLs to who signs them and to who answers them", () => {
        for (const name of ["media", "ai", "realtime"])
            assert.include(compose.get("services", name, "environment", "URL_SECRET").text(), "URL_SECRET");
    });
    it("asks for what env.example lists", () => {
        const listed = [...readRepoFile("deploy/env.example").matchAll(/^([A-Z_]+)=$/gm)].map(([, name = ""]) => name);
        assert.sameMembers([...new Set(asked)], listed);
    });
    it("gives NATS every password that nats.conf reads", () => {
        const wanted = [...readRepoFile("deploy/nats.conf").matchAll(/\$(ARMORICORE_[A-Z_]+)/g)].map(([, name = ""]) => name);
        assert.includeMembers(Object.keys(compose.get("services", "nats", "environment").record()), wanted);
    });
    it("publishes realtime's port on this machine alone", () => {
        assert.deepStrictEqual(compose.get("services", "realtime", "ports").texts(), [`127.0.0.1:${port}:${port}`]);
        for (const [, service] of all)
            for (const published of service.get("ports").texts())
                assert.match(published, /^127\.0\.0\.1:/);
    });
    it("mounts files that are there, and volumes that are declared", () => {
        for (const [, service] of all) {
            for (const source of service
                .get("volumes")
                .texts()
                .map((mount) => mount.split(":")[0] ?? "")) {
                if (source.startsWith("./"))
                    assert.isTrue(existsSync(join(root, "deploy", source)), source);
                else if (!source.startsWith("/"))
                    assert.isTrue(Object.hasOwn(compose.get("volumes").record(), source), source);
            }
        }
    });
    it("is scraped whole", () => {
        const prometheus = document("deploy/prometheus/prometheus.yml");
        const jobs = prometheus.get("scrape_configs").list();
        const targets = (job) => jobs
            .filter((found) => found.get("job_name").text() === job)
            .flatMap((found) => found
            .get("static_configs")
            .list()
            .flatMap((each) => each.get("targets").texts()));
        assert.sameMembers([...targets("armoricore")], services.map((service) => `${service}:${port}`));
        for (const job of jobs)
            for (const target of targets(job.get("job_name").text()))
                assert.isTrue(Object.hasOwn(compose.get("services").record(), target.split(":")[0] ?? ""), target);
        assert.include(routes, `"GET",\n    "${jobs[0]?.get("metrics_path").text()}"`);
        for (const file of prometheus.get("rule_files").texts())
            assert.isTrue(existsSync(join(root, "deploy/prometheus", file)), file);
    });
});
describe("kubernetes", () => {
    const folder = "deploy/kubernetes";
    const kustomization = document(`${folder}/kustomization.yaml`);
    const resources = kustomization.get("resources").texts();
    const all = resources.flatMap((name) => documents(`${folder}/${name}`));
    const named = (kind) => all.filter((node) => node.get("kind").text() === kind);
    const nameOf = (node) => node.get("metadata", "name").text();
    const deployments = named("Deployment");
    const pairs = kustomization
        .get("configMapGenerator")
        .list()
        .flatMap((map) => map.get("literals").texts());
    const config = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
    /** The Secret of docs/deploy.md. */
    const secrets = new Map([...readRepoFile("docs/deploy.md").matchAll(/create secret generic (\S+)((?:.*\\\n)*.*)/g)].map(([, name = "", rest = ""]) => [
        name,
        Object.fromEntries([...rest.matchAll(/--from-literal=([A-Z_]+)=(\S+)/g)].map(([, key = "", value = ""]) => [key, value])),
    ]));
    it("lists every file", () => {
        assert.sameMembers([...resources, "kustomization.yaml"], readdirSync(join(root, folder)));
        assert.sameMembers(deployments.map(nameOf), [...services]);
    });
    for (const node of [...deployments, ...named("Job")]) {
        const pod = node.get("spec", "template", "spec");
        const container = pod.get("containers").list()[0] ?? new DocumentNode(undefined);
        it.effect(`${nameOf(node)} starts with settings that the program takes`, () => Effect.gen(function* () {
            assert.isTrue(isCommand(container.get("args").texts()));
            const own = container
                .get("env")
                .list()
                .map((each) => [each.get("name").text(), each.get("value").text()]);
            const from = container.get("envFrom").list();
            assert.strictEqual(from[0]?.get("configMapRef", "name").text(), "armoricore");
            const secret = secrets.get(from[1]?.get("secretRef", "name").text() ?? "");
            assert.isDefined(secret, "docs/deploy.md does not make its Secret");
            const settings = yield* settingsOf({ ...config, ...secret, ...Object.fromEntries(own) });
            assert.strictEqual(new URL(settings.MESSAGE_BUS_URL?.[0] ?? "nats://unknown@x").username, nameOf(node));
            if (nameOf(node) === "setup")
                return;
            assert.strictEqual(settings.NATS_INBOX_PREFIX, `_INBOX_${nameOf(node)}`);
            assert.isAbove(Number(pod.get("terminationGracePeriodSeconds").text()), Duration.toSeconds(settings.DRAIN_TIMEOUT), "the pod is killed while it drains");
        }));
        it(`${nameOf(node)} runs as non-root with a read-only root, a memory limit and two mounts`, () => {
            assert.strictEqual(pod.get("securityContext", "runAsNonRoot").value, true);
            assert.strictEqual(container.get("securityContext", "readOnlyRootFilesystem").value, true);
            assert.notStrictEqual(container.get("resources", "limits", "memory").text(), "");
            const mounts = container
                .get("volumeMounts")
                .list()
                .map((mount) => mount.get("mountPath").text());
            assert.sameMembers(mounts, ["/tmp", imageSettings["ARMORICORE_DATA_DIR"] ?? ""]);
        });
    }
    for (const node of deployments) {
        const container = node.get("spec", "template", "spec", "containers").list()[0] ?? new DocumentNode(undefined);
        it(`${nameOf(node)} has probes and scrape annotations with the port and paths of the program`, () => {
            assert.strictEqual(container.get("ports").list()[0]?.get("containerPort").text(), port);
            const expected = { startupProbe: "/healthz", livenessProbe: "/healthz", readinessProbe: "/readyz" };
            for (const [probe, path] of Object.entries(expected)) {
                assert.strictEqual(container.get(probe, "httpGet", "path").text(), path);
                assert.include(routes, `"${path}"`);
            }
            const notes = node.get("spec", "template", "metadata", "annotations");
            assert.strictEqual(notes.get("prometheus.io/port").text(), port);
            assert.include(routes, `"GET",\n    "${notes.get("prometheus.io/path").text()}"`);
        });
    }
    it("has a budget for each service, and scales each by one thing", () => {
        const budgets = named("PodDisruptionBudget").map((node) => node.get("spec", "selector", "matchLabels", "app").text());
        assert.sameMembers(budgets, [...services]);
        const scaled = [...named("HorizontalPodAutoscaler"), ...named("ScaledObject")];
        assert.sameMembers(scaled.map((node) => node.get("spec", "scaleTargetRef", "name").text()), [...services]);
    });
    it("scales each service by the queues of its own consumers, which all exist", () => {
        for (const node of named("ScaledObject")) {
            for (const trigger of node.get("spec", "triggers").list()) {
                const query = trigger.get("metadata", "query").text();
                const names = [...query.matchAll(/(\w+)\{consumer="([^"]+)"\}/g)];
                // regression: the lag of NATS includes messages that are held back, so a paused provider scaled notify to its limit
                assert.deepStrictEqual(names.map(([, metric]) => metric), ["armoricore_queue_messages_pending", "armoricore_handlers_running"]);
                for (const [, , name = ""] of names) {
                    assert.isTrue(allConsumers.some((consumer) => consumer.name === name), name);
                    assert.isTrue(name.startsWith(`${nameOf(node)}-`), name);
                }
            }
        }
    });
    it("lets in nothing but the program's port", () => {
        const inside = named("NetworkPolicy").flatMap((node) => node.get("spec", "ingress").list());
        for (const rule of inside)
            assert.deepStrictEqual(rule
                .get("ports")
                .list()
                .map((each) => each.get("port").text()), [port]);
    });
});

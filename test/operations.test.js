/**
 * What operators read fits the code: each alert has its section in docs/operations.md, alerts and dashboards ask for
 * metrics that exist, and the configuration page is the one that the table of settings makes.
 */
import { serviceNames as services } from "@armoricore/armoricore/app/Services";
import { configurationReference } from "@armoricore/armoricore/settings/ConfigurationReference";
import { allMetrics as catalogue, metricsReference } from "@armoricore/armoricore/telemetry/MetricCatalog";
import { settingsTable } from "@armoricore/armoricore/settings/Table";
import { assert, describe, it } from "vitest";
import { document, DocumentNode, readRepoFile, filesUnder } from "./support/RepoFiles.ts";
/** Counted by others: Prometheus itself, prometheus-nats-exporter, node_exporter. Their names are theirs to change. */
const others = [
    "up",
    "jetstream_consumer_num_pending",
    "jetstream_consumer_delivered_consumer_seq",
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
];
const sources = filesUnder("packages")
    .filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path))
    .map(readRepoFile);
const declared = sources.flatMap((source) => [...source.matchAll(/Metric\.(counter|gauge|histogram)\(\s*"(\w+)"/g)].map(([, kind = "", name = ""]) => ({
    kind,
    name,
})));
const own = declared.flatMap(({ kind, name }) => kind === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]);
/** Metrics of a PromQL expression: what is neither a label, a function nor a keyword. */
const metricsOf = (expression) => {
    const bare = expression
        .replaceAll(/"[^"]*"/g, "")
        .replaceAll(/\{[^}]*\}/g, "")
        .replaceAll(/\[[^\]]*\]/g, "")
        .replaceAll(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, "")
        .replaceAll(/\boffset\s+\w+/g, "");
    return [...bare.matchAll(/\b[a-zA-Z_]\w*\b(?!\s*\()/g)]
        .map(([name]) => name)
        .filter((name) => !["and", "or", "unless", "sum", "max", "avg", "bool"].includes(name));
};
const alerts = document("deploy/prometheus/alerts.yaml")
    .get("groups")
    .list()
    .flatMap((group) => group.get("rules").list());
const panels = new DocumentNode(JSON.parse(readRepoFile("deploy/grafana/dashboards/armoricore.json")))
    .get("panels")
    .list();
const shown = panels
    .filter((panel) => panel.get("datasource", "type").text() === "prometheus")
    .flatMap((panel) => panel.get("targets").list())
    .map((target) => target.get("expr").text());
const expressions = [...alerts.map((alert) => alert.get("expr").text()), ...shown];
describe("alerts and the dashboard", () => {
    it("ask for metrics that the program or a named exporter has", () => {
        assert.isAbove(own.length, 15);
        const asked = [...new Set(expressions.flatMap(metricsOf))];
        assert.isAbove(asked.length, 15);
        assert.deepStrictEqual(asked.filter((name) => !own.includes(name) && !others.includes(name)), []);
        assert.deepStrictEqual(others.filter((name) => !asked.includes(name)), [], "listed, but nothing asks for them");
    });
    it("name services, results and jobs that exist", () => {
        const results = sources
            .flatMap((source) => [...source.matchAll(/\bresult: ((?:"\w+"(?: \| )?)+)/g)])
            .flatMap(([, union = ""]) => union.replaceAll('"', "").split(" | "));
        const jobs = document("deploy/prometheus/prometheus.yml")
            .get("scrape_configs")
            .list()
            .map((job) => job.get("job_name").text());
        const values = (label) => expressions.flatMap((expression) => [...expression.matchAll(new RegExp(`\\b${label}=~?"([^"]*)"`, "g"))].flatMap(([, text = ""]) => text.split("|")));
        for (const service of values("service"))
            assert.include(services, service);
        for (const job of values("job"))
            assert.include(jobs, job);
        for (const result of values("result"))
            assert.include(results, result);
        for (const stream of values("stream_name"))
            assert.include(readRepoFile("deploy/nats.conf"), `.${stream}.`);
    });
    it("the dashboard shows everything that is measured", () => {
        const asked = shown.flatMap(metricsOf);
        const unseen = declared.filter(({ name }) => !asked.some((metric) => metric === name || metric === `${name}_bucket`));
        assert.deepStrictEqual(unseen.map(({ name }) => name), []);
    });
});
describe("docs/operations.md", () => {
    const page = readRepoFile("docs/operations.md");
    const sections = page.split(/^### /m).slice(1);
    const named = (name) => sections.find((section) => section.split("\n")[0] === name);
    for (const alert of alerts) {
        const name = alert.get("alert").text();
        it(`says what to do about ${name}`, () => {
            const section = named(name);
            assert.isDefined(section, `add a section "### ${name}"`);
            for (const part of ["**Meaning.**", "**Diagnose.**", "**Mitigate.**"])
                assert.include(section, part);
            assert.strictEqual(alert.get("annotations", "runbook").text(), `docs/operations.md#${name.toLowerCase()}`);
            assert.include(["page", "ticket"], alert.get("labels", "severity").text());
        });
    }
    it("has no runbook of an alert that is not there", () => {
        const names = alerts.map((alert) => alert.get("alert").text());
        const runbook = page.slice(page.indexOf("## Runbook"));
        const headings = [...runbook.matchAll(/^### (\S+)$/gm)].map(([, name = ""]) => name);
        assert.sameMembers(headings, names);
    });
});
describe("docs/metrics.md", () => {
    it("is current (npm run docs:metrics)", () => {
        assert.strictEqual(readRepoFile("docs/metrics.md"), metricsReference());
    });
    it("has every metric that the code declares, and a sentence for each", () => {
        assert.sameMembers(catalogue.map(({ name }) => name), declared.map(({ name }) => name));
        for (const { description, name, type } of catalogue) {
            assert.match(description, /^\S.{10,}/, name);
            assert.strictEqual(declared.find((metric) => metric.name === name)?.kind, type, name);
            if (type === "counter")
                assert.match(name, /_total$/, name);
            else
                assert.notMatch(name, /_total$/, name);
        }
    });
});
describe("documents", () => {
    it("docs/configuration.md is current (node packages/armoricore/scripts/write-configuration-docs.ts)", () => {
        assert.strictEqual(readRepoFile("docs/configuration.md"), configurationReference());
    });
    for (const path of ["docs/deploy.md", "docs/operations.md", "docs/security.md"]) {
        it(`${path} names settings and metrics that exist`, () => {
            const text = readRepoFile(path);
            const settings = [...text.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])(?:=[^`]*)?`/g)].map(([, name = ""]) => name);
            assert.deepStrictEqual(settings.filter((name) => !Object.hasOwn(settingsTable, name.replace(/_FILE$/, "")) && !/^(NAME|ARMORICORE|NODE)_/.test(name)), []);
            const metrics = [...text.matchAll(/`((?:armoricore|realtime|process|nodejs)_[a-z_]+)`/g)].map(([, name = ""]) => name);
            assert.deepStrictEqual(metrics.filter((name) => !own.includes(name) && !declared.some((metric) => metric.name === name)), []);
        });
    }
});

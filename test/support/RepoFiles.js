/** Files of the checkout, and documents of YAML and JSON read by name, for the tests over them. */
import { parse } from "effect/encoding/Yaml";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
export const root = fileURLToPath(new URL("../..", import.meta.url));
export const readRepoFile = (path) => readFileSync(join(root, path), "utf8");
export const filesUnder = (path) => readdirSync(join(root, path), { recursive: true, encoding: "utf8" }).map((name) => `${path}/${name}`);
/** A document of YAML or JSON, walked by name; what is absent is an empty node. */
export class DocumentNode {
    value;
    constructor(value) {
        this.value = value;
    }
    get(...path) {
        return path.reduce((node, key) => new DocumentNode(node.record()[key]), this);
    }
    record() {
        // Any object can be read by its own names.
        return typeof this.value === "object" && this.value !== null ? this.value : {};
    }
    entries() {
        return Object.entries(this.record()).map(([name, value]) => [name, new DocumentNode(value)]);
    }
    list() {
        return Array.isArray(this.value) ? this.value.map((value) => new DocumentNode(value)) : [];
    }
    text() {
        return typeof this.value === "object" ? "" : String(this.value);
    }
    texts() {
        return this.list().map((node) => node.text());
    }
}
export const documents = (path) => readRepoFile(path)
    .split(/^---$/m)
    .map((part) => new DocumentNode(parse(part)));
export const document = (path) => documents(path)[0] ?? new DocumentNode(undefined);

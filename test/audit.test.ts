/** `npm run audit` over a report in the form of `npm audit --json`, and the answers over the lock file. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { answeredAdvisories, parseReport, summarize } from "../scripts/audit.ts"
import { digestOf, vendoredPackages } from "../scripts/vendor.ts"

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), "utf8")
const answers = read("docs/vulnerabilities.md")
const findings = parseReport(JSON.parse(read("test/fixtures/audit/report.json")))

describe("npm run audit", () => {
  it("finds each advisory once, over every dependency path", () => {
    assert.deepStrictEqual(
      findings.map(({ id, package: name }) => [id, name]),
      [
        ["GHSA-0000-0000-0000", "made-up"],
        ["GHSA-wm7h-9275-46v2", "dicer"],
      ],
    )
  })

  it("fails on an advisory without an answer, and names it", () => {
    const { lines, passed } = summarize(findings, answeredAdvisories(answers))
    assert.isFalse(passed)
    assert.deepStrictEqual(
      lines.filter((line) => line.startsWith("unanswered")),
      ["unanswered: GHSA-0000-0000-0000 made-up <2.0.0 (critical): Not assessed yet"],
    )
  })

  it("passes where all are answered", () => {
    const answered = answeredAdvisories(`${answers}\n| GHSA-0000-0000-0000 | made-up | … |\n`)
    assert.isTrue(summarize(findings, answered).passed)
  })

  it("is no pass where the registry could not be asked", () => {
    assert.throws(() => parseReport({ message: "405 Method Not Allowed" }), /gave no report: 405/)
  })

  it("answers for the versions that are locked", () => {
    const lock: { readonly packages: Readonly<Record<string, { readonly version?: string }>> } = JSON.parse(
      read("package-lock.json"),
    )
    const rows = [...answers.matchAll(/^\| \[(?:GHSA|npm)-[^|]*\| `([^`]+) ([^`]+)`/gm)]
    assert.isNotEmpty(rows)
    for (const [row, name = "", version = ""] of rows)
      assert.strictEqual(lock.packages[`node_modules/${name}`]?.version, version, row)
  })
})

describe("vendor/", () => {
  it("holds the files of the packages unchanged, in the versions that the packages ask for", () => {
    const asked = ["package.json", "packages/demo/package.json", "packages/operator/package.json"].map((path) =>
      read(path),
    )
    for (const one of vendoredPackages()) {
      for (const [file, digest] of Object.entries(one.vendored)) {
        assert.strictEqual(digestOf(one, file), digest, `${one.name}: ${file}; npm run vendor writes it`)
      }
      const version = new RegExp(`"${one.name}": "([^"]+)"`)
      const versions = asked.flatMap((text) => version.exec(text)?.[1] ?? [])
      if (one.name !== "redis") assert.isNotEmpty(versions, one.name)
      for (const other of versions) assert.strictEqual(other, one.version, one.name)
    }
  })

  it("stands for a redis that nothing loads", () => {
    const modules = readdirSync(new URL("../node_modules/@effect/platform-node/dist", import.meta.url))
    const loading = modules.filter(
      (name) =>
        name.endsWith(".js") && read(`node_modules/@effect/platform-node/dist/${name}`).includes('from "redis"'),
    )
    assert.deepStrictEqual(loading, ["NodeRedis.js"])
    const sources = ["packages", "bench", "chaos", "soak", "scripts", "examples"].flatMap((folder) =>
      readdirSync(new URL(`../${folder}`, import.meta.url), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
        .map((name) => `${folder}/${name}`),
    )
    const faulty = sources.filter((name) => /@effect\/platform-node(\/NodeRedis)?"/.test(read(name)))
    assert.deepStrictEqual(faulty, [])
  })
})

/** What the documents point at exists. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const documents = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n")
const scripts: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts

describe("documents", () => {
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8")

    it(`${document}: every relative link leads somewhere`, () => {
      const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => match[1] ?? "")
      const lost = links.filter((link) => !existsSync(join(root, dirname(document), link)))
      assert.deepStrictEqual(lost, [])
    })

    it(`${document}: every npm script it names is there`, () => {
      const named = [...text.matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)].map((match) => match[1] ?? "")
      const lost = named.filter((name) => !Object.hasOwn(scripts, name) && !name.endsWith(":"))
      assert.deepStrictEqual(lost, [])
    })
  }
})

describe("npm scripts", () => {
  for (const [name, command] of Object.entries(scripts)) {
    const file = /^node (?:--\S+ )*(\S+)/.exec(command)?.[1]
    if (file === undefined) continue
    it(`${name} runs a file that is there`, () => {
      assert.isTrue(existsSync(join(root, file)), file)
    })
  }
})

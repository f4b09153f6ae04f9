/** What the documents point at exists. */
import * as EventCodec from "@armoricore/domain/EventCodec"
import { Result } from "effect"
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

describe("code in documents", () => {
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8")
    for (const [, file = "", code = ""] of text.matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)) {
      it(`${document} shows ${file} as it is`, () => {
        assert.strictEqual(code, readFileSync(join(root, file), "utf8"))
      })
    }
    for (const [, code = ""] of text.matchAll(/^```json\n([\s\S]*?)^```$/gm)) {
      it(`${document}: an event of ${code.length} characters is one`, () => {
        const read = EventCodec.decodeResult(new TextEncoder().encode(code))
        assert.isTrue(Result.isSuccess(read), JSON.stringify(read))
      })
    }
  }

  it("README's pipeline is the one of the examples", () => {
    const shown = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1]
    assert.strictEqual(shown, readFileSync(join(root, "examples/layers/Pipeline.ts"), "utf8"))
  })
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

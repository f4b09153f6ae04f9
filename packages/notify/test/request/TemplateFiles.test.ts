import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import * as TemplateFiles from "../../src/request/TemplateFiles.ts"

const folderOf = Effect.fnUntraced(function* (files: Readonly<Record<string, string>>) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "templates-" })
  for (const [name, content] of Object.entries(files)) yield* fs.writeFileString(`${folder}/${name}`, content)
  return folder
})

const welcome = JSON.stringify({
  title: "Welcome, {{ name }}",
  text: "{{name}}, {{user.count}} new, paid: {{user.paid}}. 100 % {sure}.",
  html: "<p>Dear <b>{{name}}</b></p>",
})

describe("template files", () => {
  it.live("insert the context's fields and escape them only in html", () =>
    Effect.gen(function* () {
      const [template] = yield* TemplateFiles.load(yield* folderOf({ "welcome.json": welcome, "readme.md": "no" }))
      const rendered = yield* (
        template?.render({ name: "<Anna & Bert>", user: { count: 3, paid: false } }) ?? Effect.void
      )
      assert.strictEqual(template?.name, "welcome")
      assert.strictEqual(rendered?.title, "Welcome, <Anna & Bert>")
      assert.strictEqual(rendered?.text, "<Anna & Bert>, 3 new, paid: false. 100 % {sure}.")
      assert.include(rendered?.html, "<p>Dear <b>&lt;Anna &amp; Bert&gt;</b></p>")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.live("fail for an invalid context with the path of the field", () =>
    Effect.gen(function* () {
      const [template] = yield* TemplateFiles.load(yield* folderOf({ "welcome.json": welcome }))
      for (const [context, path] of [
        [{}, "context.name is missing"],
        [undefined, "context.name is missing"],
        [{ name: "A", user: 3 }, "context.user.count is missing"],
        [{ name: "A", user: { count: {}, paid: true } }, "context.user.count must be text"],
        [{ name: Object.create({ length: 1 }) }, "context.name must be text"],
        // Inherited properties are not fields of the context.
        [{ name: "A", user: Object.create({ count: 1 }) }, "context.user.count is missing"],
      ] as const) {
        const error = yield* Effect.flip(template?.render(context) ?? Effect.die("no template"))
        assert.strictEqual(error.code, "template_context")
        assert.include(error.message, path)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.live("fail the load with the name of an invalid file", () =>
    Effect.gen(function* () {
      for (const [content, problem] of [
        ["{", "is not a template"],
        ['{"title":"x"}', "is not a template"],
        ['{"title":"Dear {{name}","text":"x"}', "title"],
        ['{"title":"x","text":"{{ first name }}"}', "text"],
        ['{"title":"x","text":"x","html":"{{}}"}', "html"],
      ]) {
        const error = yield* Effect.flip(TemplateFiles.load(yield* folderOf({ "broken.json": content ?? "" })))
        assert.match(error.message, new RegExp(`^NOTIFY_TEMPLATES: broken.json .*${problem}`))
      }
      const missing = yield* Effect.flip(TemplateFiles.load("/nowhere/at/all"))
      assert.include(missing.message, "set it to a folder of templates")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )
})

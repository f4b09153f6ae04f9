import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import * as TemplateFiles from "../../src/request/TemplateFiles.ts"
import { preferencesUrlMarker } from "../../src/request/Templates.ts"

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

describe("templates in Liquid", () => {
  const loaded = Effect.fnUntraced(function* (files: Readonly<Record<string, string>>) {
    const templates = yield* TemplateFiles.make(new Map(Object.entries(files)))
    return new Map(templates.map((template) => [template.name, template]))
  })
  const rendered = Effect.fnUntraced(function* (
    files: Readonly<Record<string, string>>,
    context: object,
    locale?: string,
  ) {
    const [template] = (yield* loaded(files)).values()
    return yield* template?.render(context, locale) ?? Effect.die("no template")
  })

  it.live("have loops, conditions, filters, layouts and partials", () =>
    Effect.gen(function* () {
      const files = {
        "order.json": JSON.stringify({
          title: "{% if vip %}Dear {% endif %}{{ name | upcase }}",
          text: "{% for item in items %}- {{ item }}\n{% endfor %}",
        }),
        "order.html.liquid":
          '{% layout "page" %}{% block body %}{% for item in items %}{% render "row", item: item %}{% endfor %}{% endblock %}',
        "page.liquid": "<html><body>{% block body %}{% endblock %}</body></html>",
        "row.liquid": "<li>{{ item }}</li>",
      }
      const { html, text, title } = yield* rendered(files, { name: "Anna", items: ["a", "<b>"] })
      assert.strictEqual(title, "ANNA")
      assert.strictEqual(text, "- a\n- <b>\n")
      assert.strictEqual(html, "<html><body><li>a</li><li>&lt;b&gt;</li></body></html>")
    }),
  )

  it.live("write plurals, numbers, prices and dates as the reader's language does", () =>
    Effect.gen(function* () {
      const plural = '{{ n | plural: one: "# plik", few: "# pliki", many: "# plików", other: "# pliku" }}'
      const files = {
        "a.json": JSON.stringify({
          title: '{{ n | plural: one: "# file", other: "# files" }}',
          text: '{{ n | number }} {{ price | currency: "EUR" }} {{ at | date: "long" }} {{ at | date: "%Y" }}',
        }),
        "a.de.json": JSON.stringify({
          title: "x",
          text: '{{ n | number }} {{ price | currency: "EUR" }} {{ at | date: "long", time: "short", time_zone: "Europe/Berlin" }}',
        }),
        "a.pl.json": JSON.stringify({ title: plural, text: "x" }),
      }
      const context = { n: 1_234, price: 12.5, at: "2026-01-31T23:30:00Z" }
      const english = yield* rendered(files, context)
      assert.deepInclude(english, { title: "1,234 files", text: "1,234 €12.50 January 31, 2026 2026" })
      const { text } = yield* rendered(files, context, "de-AT")
      assert.match(text, /^1[\s.]?234 .*12,50.* 1\. Februar 2026 um 00:30$/)
      for (const [n, expected] of [
        [1, "1 plik"],
        [3, "3 pliki"],
        [5, "5 plików"],
      ] as const)
        assert.strictEqual((yield* rendered(files, { ...context, n }, "pl")).title, expected)
    }),
  )

  it.live("fall back from the region to the language to the default, also for partials", () =>
    Effect.gen(function* () {
      const text = '{{ "" }}{% render "bye" %}'
      const files = {
        "a.json": JSON.stringify({ title: "en", text }),
        "a.pt.json": JSON.stringify({ title: "pt", text }),
        "a.pt-BR.json": JSON.stringify({ title: "pt-BR", text }),
        "bye.liquid": "Bye",
        "bye.pt.liquid": "Tchau",
      }
      for (const [locale, title, bye] of [
        ["pt-BR", "pt-BR", "Tchau"],
        ["pt-PT", "pt", "Tchau"],
        ["pt", "pt", "Tchau"],
        ["fr", "en", "Bye"],
        [undefined, "en", "Bye"],
      ] as const)
        assert.deepInclude(yield* rendered(files, {}, locale), { title, text: bye })
    }),
  )

  it.live("set the fields of an e-mail and inline images, and leave empty addresses out", () =>
    Effect.gen(function* () {
      const files = {
        "a.json": JSON.stringify({
          title: "x",
          text: "x",
          html: '<img src="{{ logo | inline_image }}"><img src="{{ logo | inline_image }}">',
          preheader: "For {{ name }}",
          from_name: "{{ team }}",
          reply_to: "{{ team | downcase }}@example.com",
          cc: ["{{ manager }}", "a@example.org, b@example.org"],
        }),
      }
      const context = { name: "<Anna>", team: "Support", manager: "", logo: "s3://media/logo.png" }
      const { attachments, email, html = "" } = yield* rendered(files, context)
      assert.deepStrictEqual(email, {
        from_name: "Support",
        preheader: "For <Anna>",
        reply_to: ["support@example.com"],
        cc: ["a@example.org", "b@example.org"],
      })
      const [image] = attachments ?? []
      const link = yield* rendered({ "a.json": JSON.stringify({ title: "x", text: "{{ preferences_url }}" }) }, {})
      assert.strictEqual(link.text, preferencesUrlMarker)
      assert.lengthOf(attachments ?? [], 1)
      assert.strictEqual(image?.file_path, "s3://media/logo.png")
      assert.strictEqual(html.split(`cid:${image?.content_id}`).length, 3)
    }),
  )

  it.live("name the fault of a context", () =>
    Effect.gen(function* () {
      const faultOf = (text: string, context: object) =>
        Effect.map(Effect.flip(rendered({ "a.json": JSON.stringify({ title: "x", text }) }, context)), (error) =>
          typeof error === "string" ? error : `${error.code}: ${error.message}`,
        )
      const cases = [
        ["{{ user.name }}", {}, "context.user.name is missing"],
        ["{% for a in items %}{{ a.id }}{% endfor %}", { items: [{}] }, "a.id is missing"],
        ["{{ n | number }}", { n: "x" }, 'the filter number needs a number, not "x"'],
        ["{{ n | currency: 'euro' }}", { n: 1 }, 'the filter currency needs a code such as "EUR"'],
        ["{{ at | date: 'long' }}", { at: "soon" }, "the filter date needs a time"],
        ["{{ at | date: 'long', time_zone: 'Mars' }}", { at: 0 }, "a name such as Europe/Paris"],
        ["{{ at | date: 'tiny' }}", { at: 0 }, "use full, long, medium, short"],
        ["{{ n | plural: one: 'x' }}", { n: 2 }, "needs the form other"],
        ["{{ a | inline_image }}", { a: "s3://media/a.png" }, "works only in html"],
        ["{% for i in (1..100000000) %}{{ i }}{% endfor %}", {}, ""],
      ] as const
      for (const [text, context, expected] of cases) {
        const fault = yield* faultOf(text, context)
        assert.match(fault, /^template_context: the template a cannot be filled: ./)
        assert.include(fault, expected)
      }
    }),
  )

  it.live("in MJML are HTML for mail programs, with Liquid in texts, attributes and between elements", () =>
    Effect.gen(function* () {
      const row = "<mj-section><mj-column><mj-text>{{ item }}</mj-text></mj-column></mj-section>"
      const files = {
        "a.json": JSON.stringify({ title: "x", text: "x" }),
        "a.mjml": `<mjml><mj-head><mj-title>For {{ name }}</mj-title></mj-head><mj-body>
          {% if items.size > 1 and name != "" %}{% for item in items %}${row}{% endfor %}{% endif %}
          <mj-section><mj-column>
            <mj-image src='{{ "s3://media/logo.png" | inline_image }}' /><mj-button href="{{ url }}">Go</mj-button>
            <mj-text>{% render "bye", name: name %}</mj-text>
          </mj-column></mj-section><mj-include path="footer.mjml" />
        </mj-body></mjml>`,
        "footer.mjml": "<mj-section><mj-column><mj-text>To {{ name | upcase }}</mj-text></mj-column></mj-section>",
        "a.fr.json": JSON.stringify({ title: "fr", text: "fr" }),
        "a.fr.mjml": `<mjml><mj-body>${row.replace("{{ item }}", "Salut {{ name }}")}</mj-body></mjml>`,
        "bye.liquid": "Bye {{ name }}",
      }
      const context = { name: "<mj-raw>", items: ["one", "<two>"], url: 'https://example.com/?a=1&b="2"' }
      const { attachments, html = "" } = yield* rendered(files, context)
      assert.notMatch(html, /<mj|liquid\d|fonts\.googleapis/)
      for (const part of [">one<", ">&lt;two&gt;<", "For &lt;mj-raw&gt;", "Bye &lt;mj-raw&gt;", "To &lt;MJ-RAW&gt;"])
        assert.include(html, part)
      assert.include(html, 'href="https://example.com/?a=1&amp;b=&quot;2&quot;"')
      assert.lengthOf(attachments ?? [], 1)
      const french = yield* rendered(files, context, "fr-CA")
      assert.include(french.html, "Salut &lt;mj-raw&gt;")
      assert.include(french.html, '<html lang="fr-CA"')
      const faultOf = (mjml: string, more = {}) =>
        Effect.flip(loaded({ "a.json": JSON.stringify({ title: "x", text: "x", ...more }), "a.mjml": mjml }))
      const body = (content: string) => `<mjml><mj-body>${content}</mj-body></mjml>`
      assert.match(yield* faultOf(body("<mj-section>")), /^a\.mjml is not MJML: /)
      assert.match(yield* faultOf(body('<mj-include path="no.mjml" />')), /^a\.mjml is not MJML: /)
      assert.strictEqual(yield* faultOf(body("<mj-tekst>x</mj-tekst>")), "a.mjml has the unknown element mj-tekst")
      assert.match(yield* faultOf(body(row.replace("{{ item }}", "{% if %}"))), /^a\.json has in its html a fault: /)
      assert.match(yield* faultOf(body(row), { html: "x" }), /^a\.json has its html twice/)
      const lost = yield* faultOf(body(row.replace("<mj-text>", '<mj-text colour="{{ lost }}">')))
      assert.include(lost, "a.mjml has {{ lost }} where MJML shows nothing")
    }),
  )

  it.live("fail the load if they are invalid, with the name of the file", () =>
    Effect.gen(function* () {
      const faultOf = (files: Readonly<Record<string, string>>) => Effect.flip(loaded(files))
      const json = (text: string) => JSON.stringify({ title: "x", text })
      assert.match(yield* faultOf({ "a.json": json("{% if %}") }), /^a\.json has in its text a fault: /)
      assert.match(yield* faultOf({ "a.json": json("{{ a | shout }}") }), /^a\.json has in its text .*shout/)
      assert.include(
        yield* faultOf({ "a.json": json('{% render "footer" %}'), "b.liquid": "x" }),
        'a.json has in its text the unknown partial "footer"; the partials are: b',
      )
      assert.include(yield* faultOf({ "a.json": '{"title":"x"}' }), "a.text.liquid")
      assert.include(yield* faultOf({ "a.json": '{"title":"x","text":"x","locale":"english"}' }), "the locale")
      // A file with a dot in its name is a template of its own where it is no language of another.
      assert.deepStrictEqual([...(yield* loaded({ "order.new.json": json("x") })).keys()], ["order.new"])
    }),
  )
})

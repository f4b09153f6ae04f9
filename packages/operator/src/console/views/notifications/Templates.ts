/** Templates: preview with fields of one's own, and a test send. */
import type { RenderedTemplate } from "../../../api/Notification.ts"
import { type App, emptyState, errorNotice, loading, Polled } from "../../App.ts"
import { h, type VChild } from "../../VirtualDom.ts"
import type { Part } from "../Notifications.ts"

export const part = (app: App): Part => {
  let template = app.params.get("template") ?? ""
  let context = "{}"
  let locale = ""
  let address = ""
  let rendered: RenderedTemplate | undefined
  let fault: string | undefined
  const names = new Polled(app, () => app.connection.call((client) => client.ListTemplates()), 30_000)
  const chosen = () => (template === "" ? (names.value?.[0] ?? "") : template)

  const preview = async () => {
    try {
      rendered = await app.connection.call((client) =>
        client.PreviewTemplate({ template: chosen(), context, ...(locale === "" ? {} : { locale }) }),
      )
      fault = undefined
    } catch (error) {
      rendered = undefined
      fault = error instanceof Error ? error.message : String(error)
    }
    app.render()
  }

  const send = async () => {
    let fields: unknown
    try {
      fields = JSON.parse(context)
    } catch {
      app.showToast("bad", "The fields are not a JSON object.")
      return
    }
    await app.perform(`A test is on its way to ${address}`, () =>
      app.connection.call((client) =>
        client.AddTestNotification({
          request: {
            user_id: "test-send",
            notification_type: "email",
            title: chosen(),
            body: "",
            template: chosen(),
            context: typeof fields === "object" && fields !== null ? { ...fields } : {},
            recipients: [{ email: address }],
            ...(locale === "" ? {} : { locale }),
          },
        }),
      ),
    )
  }

  const field = (label: string, value: string, placeholder: string, onInput: (value: string) => void): VChild =>
    h(
      "label",
      { class: "field" },
      h("span", {}, label),
      h("input", {
        type: "text",
        value,
        placeholder,
        onInput: (event: Event) => {
          if (event.target instanceof HTMLInputElement) onInput(event.target.value.trim())
        },
      }),
    )

  const form = (all: ReadonlyArray<string>): VChild =>
    h(
      "form",
      {
        class: "card template-form",
        "aria-label": "Template",
        onSubmit: (event: Event) => {
          event.preventDefault()
          void preview()
        },
      },
      h(
        "label",
        { class: "field" },
        h("span", {}, "Template"),
        h(
          "select",
          {
            onChange: (event: Event) => {
              if (event.target instanceof HTMLSelectElement) template = event.target.value
              app.setParams({ template })
              void preview()
            },
          },
          all.map((name) => h("option", { value: name, key: name, selected: name === chosen() }, name)),
        ),
      ),
      h(
        "label",
        { class: "field" },
        h("span", {}, "Fields (context), as JSON"),
        h("textarea", {
          rows: 8,
          spellcheck: "false",
          value: context,
          onInput: (event: Event) => {
            if (event.target instanceof HTMLTextAreaElement) context = event.target.value
          },
        }),
      ),
      field("Language", locale, "default, or fr, pt-BR", (value) => void (locale = value)),
      h("div", { class: "acts" }, h("button", { type: "submit", class: "primary" }, "Preview")),
      field("Send a test to", address, "you@example.com", (value) => {
        address = value
        app.render()
      }),
      h(
        "div",
        { class: "acts" },
        h("button", { type: "button", disabled: !address.includes("@"), onClick: () => void send() }, "Send a test"),
      ),
    )

  const result = ({ html, text, title }: RenderedTemplate): VChild =>
    h(
      "section",
      { class: "card template-preview", "aria-label": "Preview" },
      h("h2", {}, title),
      // Without scripts, forms or access to this page.
      html === undefined ? null : h("iframe", { sandbox: "", srcdoc: html, title: "The HTML part" }),
      h("h3", {}, "Text"),
      h("pre", { tabindex: "0", "aria-label": "The text part" }, text),
    )

  return {
    dispose: () => names.stop(),
    render: () => [
      errorNotice(names.failure),
      names.value === undefined
        ? loading
        : names.value.length === 0
          ? emptyState("No templates", "Set NOTIFY_TEMPLATES to a folder of templates.")
          : h(
              "div",
              { class: "template-parts" },
              form(names.value),
              fault !== undefined
                ? h("p", { class: "notice bad", role: "alert" }, fault)
                : rendered === undefined
                  ? emptyState("No preview", "Write the fields of the template, and press Preview.")
                  : result(rendered),
            ),
    ],
  }
}

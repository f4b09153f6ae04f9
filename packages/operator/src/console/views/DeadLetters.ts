/** What could not be handled: why, the message itself, and the ways out: replay it, mend and replay it, discard it. */
import type { DeadLetter, DeadLetterWithBody } from "../../api/DeadLetter.ts"
import { type App, copyable, empty, head, loading, pill, Polled, trouble, type View } from "../App.ts"
import { type Child, h } from "../Dom.ts"
import * as Format from "../Format.ts"

export const view = (app: App): View => {
  const letters = new Polled(app, () => app.connection.call((client) => client.ListDeadLetters({ limit: 500 })))
  let open: DeadLetterWithBody | undefined
  /** The body as it is edited. */
  let text = ""
  let fault: string | undefined

  const look = async ({ id }: DeadLetter) => {
    await app.act("", async () => {
      open = await app.connection.call((client) => client.GetDeadLetter({ id }))
      text = Format.pretty(open.body)
      fault = undefined
    })
    app.draw()
    // On a phone the letter stands below the list.
    document.querySelector("#letter")?.scrollIntoView({ block: "nearest" })
  }

  const close = () => {
    open = undefined
    app.draw()
    void letters.refresh()
  }

  const replay = async (letter: DeadLetterWithBody) => {
    const isEdited = text !== Format.pretty(letter.body)
    if (isEdited) {
      try {
        JSON.parse(text)
      } catch (error) {
        fault = `This is no JSON: ${error instanceof Error ? error.message : String(error)}`
        return app.draw()
      }
    }
    fault = undefined
    const body = isEdited ? { body: text } : {}
    const done = await app.act(`Replayed ${letter.event_type} ${letter.id}`, () =>
      app.connection.call((client) => client.ReplayDeadLetter({ id: letter.id, ...body })),
    )
    if (done) close()
  }

  const discard = async ({ event_type, id }: DeadLetter) => {
    const question = {
      title: "Discard this letter?",
      text: `The ${event_type} of letter ${id} is removed for good and never handled.`,
      confirm: "Discard",
      dangerous: true,
    }
    if ((await app.ask(question)) === undefined) return
    if (
      await app.act(`Discarded letter ${id}`, () => app.connection.call((client) => client.DiscardDeadLetter({ id })))
    )
      close()
  }

  const row = (letter: DeadLetter): Child =>
    h(
      "li",
      { key: letter.id },
      h(
        "button",
        {
          type: "button",
          class: "letter",
          "data-row": "",
          "aria-current": letter.id === open?.id ? "true" : undefined,
          onClick: () => void look(letter),
        },
        h("span", { class: "letter-title" }, h("b", {}, letter.event_type), pill("bad", letter.reason)),
        h("span", { class: "letter-message" }, letter.message),
        h(
          "span",
          { class: "soft" },
          `${letter.service} · ${Format.ago(letter.last_at)}${letter.path === "" ? "" : ` · ${letter.path}`}`,
        ),
      ),
    )

  const fact = (name: string, value: Child): Child => [h("dt", {}, name), h("dd", {}, value)]

  const detail = (letter: DeadLetterWithBody): Child =>
    h(
      "section",
      { class: "card letter-detail", id: "letter", key: letter.id, "aria-labelledby": "letter-title" },
      h("h2", { id: "letter-title" }, letter.event_type),
      h("p", { class: "wrong" }, letter.message),
      h(
        "dl",
        { class: "facts" },
        fact("Reason", letter.reason),
        letter.path === "" ? null : fact("Field", h("code", {}, letter.path)),
        fact("Consumer", letter.consumer),
        fact("Tries", String(letter.attempts)),
        fact("First", Format.moment(letter.first_at)),
        fact("Last", Format.moment(letter.last_at)),
      ),
      h(
        "div",
        { class: "copies" },
        copyable(app, "trace", letter.trace_id),
        copyable(app, "event", letter.event_id),
        copyable(app, "letter", letter.id),
      ),
      h("label", { for: "letter-body" }, "The message; what is changed here is sent in its place"),
      h("textarea", {
        id: "letter-body",
        spellcheck: "false",
        rows: 16,
        value: text,
        "aria-describedby": fault === undefined ? undefined : "letter-fault",
        onInput: (event: Event) => {
          if (!(event.target instanceof HTMLTextAreaElement)) return
          text = event.target.value
          app.draw()
        },
      }),
      fault === undefined ? null : h("p", { class: "wrong", id: "letter-fault", role: "alert" }, fault),
      h(
        "div",
        { class: "acts" },
        h(
          "button",
          { type: "button", class: "primary", onClick: () => void replay(letter) },
          text === Format.pretty(letter.body) ? "Replay as it is" : "Replay with changes",
        ),
        text === Format.pretty(letter.body)
          ? null
          : h(
              "button",
              {
                type: "button",
                onClick: () => {
                  text = Format.pretty(letter.body)
                  fault = undefined
                  app.draw()
                },
              },
              "Undo changes",
            ),
        h("button", { type: "button", class: "quiet bad", onClick: () => void discard(letter) }, "Discard"),
      ),
    )

  const body = (found: ReadonlyArray<DeadLetter>): Child =>
    found.length === 0 && open === undefined
      ? empty("No dead letters", "Every message was handled, or is still being tried.")
      : h(
          "div",
          { class: "split" },
          h("ul", { class: "list letters", "aria-label": "Dead letters" }, found.map(row)),
          open === undefined ? h("p", { class: "card hint" }, "Choose a letter to read it.") : detail(open),
        )

  return {
    stop: () => letters.stop(),
    draw: () => [
      head("Dead letters", "Messages that could not be handled, oldest first. Nothing is lost until you discard it."),
      trouble(letters.failure),
      letters.value === undefined ? loading : body(letters.value),
    ],
  }
}

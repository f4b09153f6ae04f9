/**
 * Dead letters: the reason, the message, and the actions: replay it, edit and replay it, discard it. A
 * page at a time, as there may be thousands; what the filters let through can be replayed or discarded as a whole.
 */
import type { DeadLetter, DeadLetterWithBody } from "../../api/DeadLetter.ts"
import { type App, copyButton, emptyState, viewHeader, loading, badge, Polled, errorNotice, type View } from "../App.ts"
import * as BulkAction from "../BulkAction.ts"
import { type VChild, h } from "../VirtualDom.ts"
import * as Format from "../Format.ts"
import { makeFilters } from "./DeadLetterFilters.ts"

const pageSize = 50
/** Ids that are read at once when all are meant. */
const bulkPageSize = 1_000

export const view = (app: App): View => {
  const bulk = BulkAction.make(app)
  const selectedFilters = makeFilters(() => {
    pages = []
    void deadLetters.refresh()
  })
  /** The letter before each page but the first, down to the one that is shown. */
  let pages: ReadonlyArray<string> = []
  const deadLetters = new Polled(app, async () => {
    const after = pages.at(-1)
    const found = await app.connection.call((client) =>
      // One more tells whether there is a next page.
      client.ListDeadLetters({
        ...selectedFilters.selected(),
        limit: pageSize + 1,
        ...(after === undefined ? {} : { after }),
      }),
    )
    selectedFilters.addOptions(found)
    // What stood here was replayed or discarded: there are earlier ones.
    if (found.length === 0 && pages.length > 0) {
      pages = pages.slice(0, -1)
      queueMicrotask(() => void deadLetters.refresh())
    }
    return found
  })
  let open: DeadLetterWithBody | undefined
  /** The body as it is edited. */
  let text = ""
  let fault: string | undefined

  const openDeadLetter = async ({ id }: DeadLetter) => {
    await app.perform("", async () => {
      open = await app.connection.call((client) => client.GetDeadLetter({ id }))
      text = Format.prettyJson(open.body)
      fault = undefined
    })
    app.render()
    // Once it is drawn; on a phone it stands above the list, which may be long.
    requestAnimationFrame(() => document.querySelector("#letter")?.scrollIntoView({ block: "nearest" }))
  }

  /** The next in the list has the focus then, so that one goes on from there. */
  const close = () => {
    const at = deadLetters.value?.findIndex(({ id }) => id === open?.id) ?? -1
    deadLetters.value = deadLetters.value?.filter(({ id }) => id !== open?.id)
    open = undefined
    app.render()
    requestAnimationFrame(() => {
      const rows = document.querySelectorAll(".letter")
      const next = rows[Math.max(0, Math.min(at, rows.length - 1))] ?? document.querySelector("#view")
      if (next instanceof HTMLElement) next.focus()
    })
    void deadLetters.refresh()
  }

  /** Back to where one was in the list. */
  const closeDetail = () => {
    open = undefined
    const row = document.querySelector(".letter[aria-current]")
    app.render()
    if (row instanceof HTMLElement) row.focus()
  }

  const allIds = async (): Promise<ReadonlyArray<string>> => {
    const ids: Array<string> = []
    for (;;) {
      const after = ids.at(-1)
      const found = await app.connection.call((client) =>
        client.ListDeadLetters({
          ...selectedFilters.selected(),
          limit: bulkPageSize,
          ...(after === undefined ? {} : { after }),
        }),
      )
      ids.push(...found.map(({ id }) => id))
      if (found.length < bulkPageSize) return ids
    }
  }

  const applyToAll = async (verb: "Replay" | "Discard") => {
    let ids: ReadonlyArray<string> = []
    if (!(await app.perform("", async () => void (ids = await allIds())))) return
    const which = `${Format.number(ids.length)} ${ids.length === 1 ? "letter" : "letters"}`
    const question = {
      title: `${verb} ${which}?`,
      text:
        verb === "Replay"
          ? `Each is published again unchanged${selectedFilters.describe()}. A message that fails again becomes a new dead letter.`
          : `They are removed for good and never handled${selectedFilters.describe()}.`,
      confirm: `${verb} them`,
      dangerous: verb === "Discard",
    }
    if ((await app.confirm(question)) === undefined) return
    open = undefined
    await bulk.run(verb === "Replay" ? "Replayed" : "Discarded", ids, (id) =>
      app.connection.call((client) =>
        verb === "Replay" ? client.ReplayDeadLetter({ id }) : client.DiscardDeadLetter({ id }),
      ),
    )
    pages = []
    void deadLetters.refresh()
  }

  const replay = async (letter: DeadLetterWithBody) => {
    const isEdited = text !== Format.prettyJson(letter.body)
    if (isEdited) {
      try {
        JSON.parse(text)
      } catch (error) {
        fault = `This is no JSON: ${error instanceof Error ? error.message : String(error)}`
        return app.render()
      }
    }
    fault = undefined
    const body = isEdited ? { body: text } : {}
    const done = await app.perform(`Replayed ${letter.event_type} ${letter.id}`, () =>
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
    if ((await app.confirm(question)) === undefined) return
    if (
      await app.perform(`Discarded letter ${id}`, () =>
        app.connection.call((client) => client.DiscardDeadLetter({ id })),
      )
    )
      close()
  }

  const row = (letter: DeadLetter): VChild =>
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
          onClick: () => void openDeadLetter(letter),
        },
        h("span", { class: "letter-title" }, h("b", {}, letter.event_type), badge("bad", letter.reason)),
        h("span", { class: "letter-message" }, letter.message),
        h(
          "span",
          { class: "soft" },
          `${letter.service} · ${Format.ago(letter.last_at)}${letter.path === "" ? "" : ` · ${letter.path}`}`,
        ),
      ),
    )

  const fact = (name: string, value: VChild): VChild => [h("dt", {}, name), h("dd", {}, value)]

  const detail = (letter: DeadLetterWithBody): VChild =>
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
        copyButton(app, "trace", letter.trace_id),
        copyButton(app, "event", letter.event_id),
        copyButton(app, "letter", letter.id),
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
          app.render()
        },
      }),
      fault === undefined ? null : h("p", { class: "wrong", id: "letter-fault", role: "alert" }, fault),
      h(
        "div",
        { class: "acts" },
        h(
          "button",
          { type: "button", class: "primary", onClick: () => void replay(letter) },
          text === Format.prettyJson(letter.body) ? "Replay as it is" : "Replay with changes",
        ),
        text === Format.prettyJson(letter.body)
          ? null
          : h(
              "button",
              {
                type: "button",
                onClick: () => {
                  text = Format.prettyJson(letter.body)
                  fault = undefined
                  app.render()
                },
              },
              "Undo changes",
            ),
        h("button", { type: "button", class: "quiet bad", onClick: () => void discard(letter) }, "Discard"),
        h("button", { type: "button", class: "quiet", onClick: closeDetail }, "Close"),
      ),
    )

  const goToPage = (to: ReadonlyArray<string>) => {
    pages = to
    deadLetters.value = undefined
    void deadLetters.refresh()
    app.render()
  }

  const pager = (found: ReadonlyArray<DeadLetter>): VChild => {
    const last = found[pageSize - 1]
    if (pages.length === 0 && found.length <= pageSize) return null
    const first = pages.length * pageSize + 1
    return h(
      "div",
      { class: "pager" },
      h(
        "button",
        { type: "button", disabled: pages.length === 0, onClick: () => goToPage(pages.slice(0, -1)) },
        "Older",
      ),
      h("span", { class: "soft num" }, `${first} – ${first + Math.min(found.length, pageSize) - 1}`),
      h(
        "button",
        {
          type: "button",
          disabled: found.length <= pageSize,
          onClick: () => last !== undefined && goToPage([...pages, last.id]),
        },
        "Newer",
      ),
    )
  }

  const body = (found: ReadonlyArray<DeadLetter>): VChild =>
    found.length === 0 && open === undefined
      ? selectedFilters.isActive()
        ? emptyState("No such letter", "None of the dead letters passes these filters.")
        : emptyState("No dead letters", "Every message was handled, or is still being tried.")
      : h(
          "div",
          { class: "split" },
          h(
            "div",
            { class: "side" },
            h("ul", { class: "list letters", "aria-label": "Dead letters" }, found.slice(0, pageSize).map(row)),
            pager(found),
          ),
          open === undefined ? h("p", { class: "card hint" }, "Choose a letter to read it.") : detail(open),
        )

  const isIdle = () => (deadLetters.value?.length ?? 0) > 0 && !bulk.isRunning()

  return {
    dispose: () => {
      deadLetters.stop()
      bulk.stop()
    },
    render: () => [
      viewHeader(
        "Dead letters",
        "Messages that could not be handled, oldest first. Nothing is lost until you discard it.",
        selectedFilters.render(),
        h("button", { type: "button", disabled: !isIdle(), onClick: () => void applyToAll("Replay") }, "Replay all"),
        h(
          "button",
          { type: "button", class: "quiet bad", disabled: !isIdle(), onClick: () => void applyToAll("Discard") },
          "Discard all",
        ),
      ),
      errorNotice(deadLetters.failure),
      bulk.render(),
      deadLetters.value === undefined ? loading : body(deadLetters.value),
    ],
  }
}

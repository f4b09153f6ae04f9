/**
 * Dead letters: list, filter, inspect, edit, replay and discard, one by one or all that match the filters. The list is
 * paged, because there may be thousands.
 */
import type { DeadLetter, DeadLetterWithBody } from "../../api/DeadLetter.ts"
import { type App, copyButton, emptyState, viewHeader, loading, badge, Polled, errorNotice, type View } from "../App.ts"
import * as BulkAction from "../BulkAction.ts"
import { type VChild, h } from "../VirtualDom.ts"
import * as Format from "../Format.ts"
import { makeFilters } from "./DeadLetterFilters.ts"

const pageSize = 50
/** Page size when a bulk action collects the ids. */
const bulkPageSize = 1_000

export const view = (app: App): View => {
  const bulk = BulkAction.make(app)
  const selectedFilters = makeFilters(() => {
    pages = []
    void deadLetters.refresh()
  })
  /** The id of the last dead letter before each opened page, except the first page. */
  let pages: ReadonlyArray<string> = []
  const deadLetters = new Polled(app, async () => {
    const after = pages.at(-1)
    const page = await app.connection.call((client) =>
      // One more than a page, to know whether a next page exists.
      client.ListDeadLetters({
        ...selectedFilters.selected(),
        limit: pageSize + 1,
        ...(after === undefined ? {} : { after }),
      }),
    )
    selectedFilters.addOptions(page)
    // Every dead letter of this page was replayed or discarded: go back to the previous page.
    if (page.length === 0 && pages.length > 0) {
      pages = pages.slice(0, -1)
      queueMicrotask(() => void deadLetters.refresh())
    }
    return page
  })
  let open: DeadLetterWithBody | undefined
  /** The body in the editor. */
  let text = ""
  let fault: string | undefined

  const openDeadLetter = async ({ id }: DeadLetter) => {
    await app.perform("", async () => {
      open = await app.connection.call((client) => client.GetDeadLetter({ id }))
      text = Format.prettyJson(open.body)
      fault = undefined
    })
    app.render()
    // After the rendering. On a phone the detail is above the list, which may be long.
    requestAnimationFrame(() => document.querySelector("#letter")?.scrollIntoView({ block: "nearest" }))
  }

  /** Moves the focus to the next dead letter, so that the operator can continue there. */
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

  /** Returns the focus to the row in the list. */
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
      const page = await app.connection.call((client) =>
        client.ListDeadLetters({
          ...selectedFilters.selected(),
          limit: bulkPageSize,
          ...(after === undefined ? {} : { after }),
        }),
      )
      ids.push(...page.map(({ id }) => id))
      if (page.length < bulkPageSize) return ids
    }
  }

  const applyToAll = async (verb: "Replay" | "Discard") => {
    let ids: ReadonlyArray<string> = []
    if (!(await app.perform("", async () => void (ids = await allIds())))) return
    const which = `${Format.number(ids.length)} ${ids.length === 1 ? "dead letter" : "dead letters"}`
    const question = {
      title: `${verb} ${which}?`,
      text:
        verb === "Replay"
          ? `Each message is published again unchanged${selectedFilters.describe()}. A message that fails again becomes a new dead letter.`
          : `They are deleted permanently and no worker handles them${selectedFilters.describe()}.`,
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

  const replay = async (deadLetter: DeadLetterWithBody) => {
    const isEdited = text !== Format.prettyJson(deadLetter.body)
    if (isEdited) {
      try {
        JSON.parse(text)
      } catch (error) {
        fault = `Invalid JSON: ${error instanceof Error ? error.message : String(error)}`
        return app.render()
      }
    }
    fault = undefined
    const body = isEdited ? { body: text } : {}
    const done = await app.perform(`Replayed ${deadLetter.event_type} ${deadLetter.id}`, () =>
      app.connection.call((client) => client.ReplayDeadLetter({ id: deadLetter.id, ...body })),
    )
    if (done) close()
  }

  const discard = async ({ event_type, id }: DeadLetter) => {
    const question = {
      title: "Discard this dead letter?",
      text: `Dead letter ${id} (${event_type}) is deleted permanently and no worker handles it.`,
      confirm: "Discard",
      dangerous: true,
    }
    if ((await app.confirm(question)) === undefined) return
    if (
      await app.perform(`Discarded dead letter ${id}`, () =>
        app.connection.call((client) => client.DiscardDeadLetter({ id })),
      )
    )
      close()
  }

  const row = (deadLetter: DeadLetter): VChild =>
    h(
      "li",
      { key: deadLetter.id },
      h(
        "button",
        {
          type: "button",
          class: "letter",
          "data-row": "",
          "aria-current": deadLetter.id === open?.id ? "true" : undefined,
          onClick: () => void openDeadLetter(deadLetter),
        },
        h("span", { class: "letter-title" }, h("b", {}, deadLetter.event_type), badge("bad", deadLetter.reason)),
        h("span", { class: "letter-message" }, deadLetter.message),
        h(
          "span",
          { class: "soft" },
          `${deadLetter.service} · ${Format.ago(deadLetter.last_at)}${deadLetter.path === "" ? "" : ` · ${deadLetter.path}`}`,
        ),
      ),
    )

  const fact = (name: string, value: VChild): VChild => [h("dt", {}, name), h("dd", {}, value)]

  const detail = (deadLetter: DeadLetterWithBody): VChild =>
    h(
      "section",
      { class: "card letter-detail", id: "letter", key: deadLetter.id, "aria-labelledby": "letter-title" },
      h("h2", { id: "letter-title" }, deadLetter.event_type),
      h("p", { class: "wrong" }, deadLetter.message),
      h(
        "dl",
        { class: "facts" },
        fact("Reason", deadLetter.reason),
        deadLetter.path === "" ? null : fact("Field", h("code", {}, deadLetter.path)),
        fact("Consumer", deadLetter.consumer),
        fact("Attempts", String(deadLetter.attempts)),
        fact("First", Format.moment(deadLetter.first_at)),
        fact("Last", Format.moment(deadLetter.last_at)),
      ),
      h(
        "div",
        { class: "copies" },
        copyButton(app, "trace", deadLetter.trace_id),
        copyButton(app, "event", deadLetter.event_id),
        copyButton(app, "dead letter", deadLetter.id),
      ),
      h("label", { for: "letter-body" }, "Message. An edited message replaces the original in the replay."),
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
          { type: "button", class: "primary", onClick: () => void replay(deadLetter) },
          text === Format.prettyJson(deadLetter.body) ? "Replay unchanged" : "Replay with changes",
        ),
        text === Format.prettyJson(deadLetter.body)
          ? null
          : h(
              "button",
              {
                type: "button",
                onClick: () => {
                  text = Format.prettyJson(deadLetter.body)
                  fault = undefined
                  app.render()
                },
              },
              "Undo changes",
            ),
        h("button", { type: "button", class: "quiet bad", onClick: () => void discard(deadLetter) }, "Discard"),
        h("button", { type: "button", class: "quiet", onClick: closeDetail }, "Close"),
      ),
    )

  const goToPage = (to: ReadonlyArray<string>) => {
    pages = to
    deadLetters.value = undefined
    void deadLetters.refresh()
    app.render()
  }

  const pager = (page: ReadonlyArray<DeadLetter>): VChild => {
    const last = page[pageSize - 1]
    if (pages.length === 0 && page.length <= pageSize) return null
    const first = pages.length * pageSize + 1
    return h(
      "div",
      { class: "pager" },
      h(
        "button",
        { type: "button", disabled: pages.length === 0, onClick: () => goToPage(pages.slice(0, -1)) },
        "Older",
      ),
      h("span", { class: "soft num" }, `${first} – ${first + Math.min(page.length, pageSize) - 1}`),
      h(
        "button",
        {
          type: "button",
          disabled: page.length <= pageSize,
          onClick: () => last !== undefined && goToPage([...pages, last.id]),
        },
        "Newer",
      ),
    )
  }

  const body = (page: ReadonlyArray<DeadLetter>): VChild =>
    page.length === 0 && open === undefined
      ? selectedFilters.isActive()
        ? emptyState("No matching dead letters", "No dead letter matches these filters.")
        : emptyState("No dead letters", "Workers handled every message, or still retry it.")
      : h(
          "div",
          { class: "split" },
          h(
            "div",
            { class: "side" },
            h("ul", { class: "list letters", "aria-label": "Dead letters" }, page.slice(0, pageSize).map(row)),
            pager(page),
          ),
          open === undefined ? h("p", { class: "card hint" }, "Select a dead letter to read it.") : detail(open),
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
        "Messages that workers could not handle, oldest first. They are stored until you replay or discard them.",
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

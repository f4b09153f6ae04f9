/**
 * Dead letters, newest first or grouped by cause: search, inspect, edit, replay and discard, one by one, all of a cause,
 * or all that match the filters. The list is paged, because there may be thousands. Filters, page and the opened dead
 * letter are in the URL.
 */
import type { DeadLetter, DeadLetterCause, DeadLetterPage, DeadLetterWithBody } from "../../api/DeadLetter.ts"
import {
  type App,
  choiceParam,
  copyButton,
  emptyState,
  viewHeader,
  loading,
  badge,
  Polled,
  errorNotice,
  segmentedControl,
  type View,
} from "../App.ts"
import * as BulkAction from "../BulkAction.ts"
import { type VChild, h } from "../VirtualDom.ts"
import * as Format from "../Format.ts"
import { linkTo } from "../Location.ts"
import { makeFilters, type Selection } from "./DeadLetterFilters.ts"

const pageSize = 50

type Order = "newest" | "cause"

interface LoadedPage extends DeadLetterPage {
  /** Dead letters before the first one of the page. */
  readonly offset: number
}

export const view = (app: App): View => {
  const bulk = BulkAction.make(app)
  let order: Order = choiceParam(app, "by", ["cause"]) ?? "newest"
  /** Counted from 1. */
  let pageNumber = Math.max(1, Math.floor(Number(app.params.get("page")) || 1))
  const filters = makeFilters(app, () => goToPage(1))
  const deadLetters = new Polled(app, async () => {
    const offset = (pageNumber - 1) * pageSize
    const page = await app.connection.call((client) =>
      client.SearchDeadLetters({ ...filters.selected(), limit: pageSize, offset }),
    )
    // Every dead letter of the last page was replayed or discarded.
    if (page.letters.length === 0 && pageNumber > 1) {
      queueMicrotask(() => goToPage(Math.max(1, Math.ceil(page.matching / pageSize))))
    }
    return { ...page, offset }
  })
  let open: DeadLetterWithBody | undefined
  /** The body in the editor. */
  let text = ""
  let fault: string | undefined

  const goToPage = (to: number) => {
    pageNumber = to
    app.setParams({ page: to === 1 ? undefined : String(to) })
    void deadLetters.refresh()
    app.render()
  }

  const setOrder = (next: Order) => {
    order = next
    app.setParams({ by: next === "cause" ? next : undefined }, "push")
    app.render()
  }

  const openById = async (id: string, mode: "replace" | "push") => {
    const isOpen = await app.perform("", async () => {
      open = await app.connection.call((client) => client.GetDeadLetter({ id }))
      text = Format.prettyJson(open.body)
      fault = undefined
    })
    app.setParams({ letter: isOpen ? id : undefined }, mode)
    app.render()
    // After the rendering. On a phone the detail is above the list, which may be long.
    requestAnimationFrame(() => document.querySelector("#letter")?.scrollIntoView({ block: "nearest" }))
  }
  const linked = app.params.get("letter")
  if (linked !== null) void openById(linked, "replace")

  /** Moves the focus to the next dead letter, so that the operator can continue there. */
  const close = () => {
    const page = deadLetters.value
    const at = page?.letters.findIndex(({ id }) => id === open?.id) ?? -1
    if (page !== undefined) {
      deadLetters.value = { ...page, letters: page.letters.filter(({ id }) => id !== open?.id) }
    }
    open = undefined
    app.setParams({ letter: undefined })
    app.render()
    const focusNext = () => {
      const rows = document.querySelectorAll(".letter")
      const next = rows[Math.max(0, Math.min(at, rows.length - 1))] ?? document.querySelector("#view")
      if (next instanceof HTMLElement) next.focus()
    }
    requestAnimationFrame(focusNext)
    // A refresh that was under way may replace the focused row.
    void deadLetters.refresh().then(() =>
      requestAnimationFrame(() => {
        if (document.activeElement === document.body) focusNext()
      }),
    )
  }

  /** Returns the focus to the row in the list. */
  const closeDetail = () => {
    open = undefined
    app.setParams({ letter: undefined })
    const row = document.querySelector(".letter[aria-current]")
    app.render()
    if (row instanceof HTMLElement) row.focus()
  }

  const applyToAll = async (verb: "Replay" | "Discard", selection: Selection, described: string) => {
    let ids: ReadonlyArray<string> = []
    const select = async () => {
      ids = (await app.connection.call((client) => client.SelectDeadLetters(selection))).ids
    }
    if (!(await app.perform("", select))) return
    const which = `${Format.number(ids.length)} ${ids.length === 1 ? "dead letter" : "dead letters"}`
    const question = {
      title: `${verb} ${which}?`,
      text:
        verb === "Replay"
          ? `Each message is published again unchanged${described}. A message that fails again becomes a new dead letter.`
          : `They are deleted permanently and no worker handles them${described}.`,
      confirm: `${verb} them`,
      dangerous: verb === "Discard",
    }
    if ((await app.confirm(question)) === undefined) return
    open = undefined
    app.setParams({ letter: undefined })
    await bulk.run(verb === "Replay" ? "Replayed" : "Discarded", ids, (id) =>
      app.connection.call((client) =>
        verb === "Replay" ? client.ReplayDeadLetter({ id }) : client.DiscardDeadLetter({ id }),
      ),
    )
    goToPage(1)
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
          onClick: () => void openById(deadLetter.id, "push"),
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

  const pager = ({ letters, matching, offset }: LoadedPage): VChild => {
    if (matching <= pageSize && pageNumber === 1) return null
    // The letters on the screen: while the next page loads, these are still those of the last one.
    const first = offset + 1
    return h(
      "div",
      { class: "pager" },
      h("button", { type: "button", disabled: pageNumber === 1, onClick: () => goToPage(pageNumber - 1) }, "Newer"),
      h(
        "span",
        { class: "soft num" },
        `${Format.number(first)} – ${Format.number(first + letters.length - 1)} of ${Format.number(matching)}`,
      ),
      h(
        "button",
        {
          type: "button",
          disabled: pageNumber * pageSize >= matching,
          onClick: () => goToPage(pageNumber + 1),
        },
        "Older",
      ),
    )
  }

  const causeRow = (cause: DeadLetterCause): VChild => {
    const selection = { ...filters.selected(), cause: cause.cause }
    const described = `: ${cause.event_type} in ${cause.service}, ${cause.reason}`
    return h(
      "li",
      {
        class: "cause",
        key: cause.cause,
        "data-row": "",
        tabindex: "0",
        "aria-label": `${cause.count} dead letters: ${cause.event_type}, ${cause.reason}`,
      },
      h("b", { class: "cause-count num" }, Format.number(cause.count)),
      h(
        "div",
        {},
        h("p", { class: "letter-title" }, h("b", {}, cause.event_type), badge("bad", cause.reason)),
        h("p", { class: "letter-message" }, cause.message),
        h(
          "p",
          { class: "soft" },
          [cause.service, cause.path, `last ${Format.ago(cause.last_at)}`, `first ${Format.moment(cause.first_at)}`]
            .filter((part) => part !== "")
            .join(" · "),
        ),
      ),
      h(
        "div",
        { class: "row-acts" },
        h("a", { class: "button", href: linkTo("dead-letters", selection) }, "Show"),
        h(
          "button",
          {
            type: "button",
            disabled: bulk.isRunning(),
            "aria-label": `Replay the dead letters of ${cause.event_type}, ${cause.reason}`,
            onClick: () => void applyToAll("Replay", selection, described),
          },
          "Replay",
        ),
        h(
          "button",
          {
            type: "button",
            class: "quiet bad",
            disabled: bulk.isRunning(),
            "aria-label": `Discard the dead letters of ${cause.event_type}, ${cause.reason}`,
            onClick: () => void applyToAll("Discard", selection, described),
          },
          "Discard",
        ),
      ),
    )
  }

  const empty = (): VChild =>
    filters.isActive()
      ? emptyState("No matching dead letters", "No dead letter matches these filters.")
      : emptyState("No dead letters", "Workers handled every message, or still retry it.")

  const summary = (page: DeadLetterPage): VChild => {
    const { causes, matching, more, total } = page
    const count = `${Format.number(total)}${more ? "+" : ""}`
    const ofCauses = `${causes.length} ${causes.length === 1 ? "cause" : "causes"}`
    return h(
      "p",
      { class: "soft summary", role: "status" },
      filters.isActive()
        ? `${Format.number(matching)} of ${count} dead letters match. `
        : `${count} ${total === 1 ? "dead letter" : "dead letters"} of ${ofCauses}. `,
      more ? `Only the newest ${Format.number(total)} are listed. ` : "",
      filters.isActive()
        ? h("button", { type: "button", class: "link", onClick: filters.clear }, "Remove the filters")
        : null,
    )
  }

  const list = (page: LoadedPage): VChild =>
    page.letters.length === 0 && open === undefined
      ? empty()
      : h(
          "div",
          { class: "split" },
          h(
            "div",
            { class: "side" },
            page.letters.length === 0
              ? empty()
              : h("ul", { class: "list letters", "aria-label": "Dead letters" }, page.letters.map(row)),
            pager(page),
          ),
          open === undefined ? h("p", { class: "card hint" }, "Select a dead letter to read it.") : detail(open),
        )

  const grouped = (page: DeadLetterPage): VChild =>
    page.causes.length === 0 ? empty() : h("ul", { class: "list", "aria-label": "Causes" }, page.causes.map(causeRow))

  const isIdle = () => (deadLetters.value?.matching ?? 0) > 0 && !bulk.isRunning()

  return {
    dispose: () => {
      deadLetters.stop()
      bulk.stop()
    },
    render: () => [
      viewHeader(
        "Dead letters",
        "Messages that workers could not handle, newest first. They are stored until you replay or discard them.",
        segmentedControl<Order>(
          "Order",
          [
            ["newest", "Newest first"],
            ["cause", "By cause"],
          ],
          order,
          setOrder,
        ),
        filters.render(deadLetters.value),
        h(
          "button",
          {
            type: "button",
            disabled: !isIdle(),
            onClick: () => void applyToAll("Replay", filters.selected(), filters.describe()),
          },
          "Replay all",
        ),
        h(
          "button",
          {
            type: "button",
            class: "quiet bad",
            disabled: !isIdle(),
            onClick: () => void applyToAll("Discard", filters.selected(), filters.describe()),
          },
          "Discard all",
        ),
      ),
      errorNotice(deadLetters.failure),
      bulk.render(),
      deadLetters.value === undefined
        ? loading
        : [
            deadLetters.value.total === 0 ? null : summary(deadLetters.value),
            order === "cause" ? grouped(deadLetters.value) : list(deadLetters.value),
          ],
    ],
  }
}

/** Filters of the dead letters by reason, event type, service and cause, and a search. They are in the URL. */
import type { DeadLetterPage } from "../../api/DeadLetter.ts"
import type { App } from "../App.ts"
import { type VChild, h } from "../VirtualDom.ts"

const fields = [
  ["reason", "All reasons", (page: DeadLetterPage) => page.reasons],
  ["type", "All types", (page: DeadLetterPage) => page.types],
  ["service", "All services", (page: DeadLetterPage) => page.services],
] as const
const names = ["reason", "type", "service", "cause", "query"] as const

export type Selection = Partial<Record<(typeof names)[number], string>>

export interface DeadLetterFilters {
  readonly selected: () => Selection
  readonly isActive: () => boolean
  /** For a sentence, for example ` (only type media.uploaded)`; empty without a filter. */
  readonly describe: () => string
  readonly choose: (name: keyof Selection, value: string) => void
  readonly clear: () => void
  /** The options are the values of the page. */
  readonly render: (page: DeadLetterPage | undefined) => VChild
}

/** How long the search waits for the next key. */
const typingPauseMillis = 200

export const makeFilters = (app: App, onChange: () => void): DeadLetterFilters => {
  const fromUrl = names.flatMap((name) => {
    const value = app.params.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  let selected: Selection = Object.fromEntries(fromUrl)
  let typing: ReturnType<typeof setTimeout> | undefined

  const change = (next: Selection): void => {
    selected = next
    app.setParams({
      reason: undefined,
      type: undefined,
      service: undefined,
      cause: undefined,
      query: undefined,
      ...next,
    })
    onChange()
  }
  const choose = (name: keyof Selection, value: string): void => {
    const { [name]: _previous, ...others } = selected
    change(value === "" ? others : { ...others, [name]: value })
  }

  return {
    selected: () => selected,
    isActive: () => Object.keys(selected).length > 0,
    describe: () => {
      const parts = names.flatMap((name) =>
        selected[name] === undefined ? [] : [name === "cause" ? "of one cause" : `${name} ${selected[name]}`],
      )
      return parts.length === 0 ? "" : ` (only ${parts.join(", ")})`
    },
    choose,
    clear: () => change({}),
    render: (page) => [
      fields.map(([field, all, read]) => {
        const chosen = selected[field]
        const values = new Set([...(page === undefined ? [] : read(page)), ...(chosen === undefined ? [] : [chosen])])
        return h(
          "select",
          {
            "aria-label": `Filter by ${field}`,
            value: chosen ?? "",
            onChange: (event: Event) => event.target instanceof HTMLSelectElement && choose(field, event.target.value),
          },
          h("option", { value: "", key: "" }, all),
          [...values]
            .sort()
            .map((value) => h("option", { value, key: `=${value}`, selected: value === chosen }, value)),
        )
      }),
      h("input", {
        type: "search",
        class: "search",
        placeholder: "Id, user, message …",
        "aria-label": "Search dead letters",
        value: selected.query ?? "",
        onInput: (event: Event) => {
          if (!(event.target instanceof HTMLInputElement)) return
          const text = event.target.value.trim()
          clearTimeout(typing)
          typing = setTimeout(() => choose("query", text), typingPauseMillis)
        },
      }),
    ],
  }
}

/**
 * Filters of the dead letters by reason, event type and service. The options are the values of the dead letters loaded
 * so far.
 */
import type { DeadLetter } from "../../api/DeadLetter.ts"
import { type VChild, h } from "../VirtualDom.ts"

const fields = [
  ["reason", "All reasons", (deadLetter: DeadLetter) => deadLetter.reason],
  ["type", "All types", (deadLetter: DeadLetter) => deadLetter.event_type],
  ["service", "All services", (deadLetter: DeadLetter) => deadLetter.service],
] as const
type Field = (typeof fields)[number][0]

export interface DeadLetterFilters {
  readonly selected: () => Partial<Record<Field, string>>
  readonly isActive: () => boolean
  /** For a sentence, for example ` (only type media.uploaded)`; empty without a filter. */
  readonly describe: () => string
  readonly addOptions: (deadLetters: ReadonlyArray<DeadLetter>) => void
  readonly render: () => VChild
}

export const makeFilters = (onChange: () => void): DeadLetterFilters => {
  let selected: Partial<Record<Field, string>> = {}
  const options = new Map<Field, Set<string>>(fields.map(([field]) => [field, new Set()]))

  const choose = (field: Field, value: string): void => {
    const { [field]: _previous, ...others } = selected
    selected = value === "" ? others : { ...others, [field]: value }
    onChange()
  }

  return {
    selected: () => selected,
    isActive: () => Object.keys(selected).length > 0,
    describe: () => {
      const parts = fields.flatMap(([field]) => (selected[field] === undefined ? [] : [`${field} ${selected[field]}`]))
      return parts.length === 0 ? "" : ` (only ${parts.join(", ")})`
    },
    addOptions: (deadLetters) => {
      for (const deadLetter of deadLetters)
        for (const [field, , read] of fields) options.get(field)?.add(read(deadLetter))
    },
    render: () =>
      h(
        "div",
        { class: "tools" },
        fields.map(([field, all]) =>
          h(
            "select",
            {
              key: field,
              "aria-label": `Filter by ${field}`,
              value: selected[field] ?? "",
              onChange: (event: Event) =>
                event.target instanceof HTMLSelectElement && choose(field, event.target.value),
            },
            h("option", { value: "", key: "" }, all),
            [...(options.get(field) ?? [])].sort().map((value) => h("option", { value, key: `=${value}` }, value)),
          ),
        ),
      ),
  }
}

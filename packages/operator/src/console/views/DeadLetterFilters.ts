/** Which dead letters are shown: by reason, event type and service, of those that were seen. */
import type { DeadLetter } from "../../api/DeadLetter.ts"
import { type VChild, h } from "../VirtualDom.ts"

const fields = [
  ["reason", "All reasons", (letter: DeadLetter) => letter.reason],
  ["type", "All types", (letter: DeadLetter) => letter.event_type],
  ["service", "All services", (letter: DeadLetter) => letter.service],
] as const
type Field = (typeof fields)[number][0]

export interface DeadLetterFilters {
  readonly selected: () => Partial<Record<Field, string>>
  readonly isActive: () => boolean
  /** Of a sentence: `, of those with the type media.uploaded`. */
  readonly describe: () => string
  readonly addOptions: (letters: ReadonlyArray<DeadLetter>) => void
  readonly render: () => VChild
}

export const makeFilters = (onChange: () => void): DeadLetterFilters => {
  let selected: Partial<Record<Field, string>> = {}
  const options = new Map<Field, Set<string>>(fields.map(([field]) => [field, new Set()]))

  const choose = (field: Field, value: string): void => {
    const { [field]: _before, ...others } = selected
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
    addOptions: (letters) => {
      for (const letter of letters) for (const [field, , of] of fields) options.get(field)?.add(of(letter))
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
              "aria-label": `Only of this ${field}`,
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

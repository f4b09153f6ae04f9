/** Which dead letters are shown: by reason, event type and service, of those that were seen. */
import type { DeadLetter } from "../../api/DeadLetter.ts"
import { type Child, h } from "../Dom.ts"

const fields = [
  ["reason", "All reasons", (letter: DeadLetter) => letter.reason],
  ["type", "All types", (letter: DeadLetter) => letter.event_type],
  ["service", "All services", (letter: DeadLetter) => letter.service],
] as const
type Field = (typeof fields)[number][0]

export interface LetterFilters {
  readonly given: () => Partial<Record<Field, string>>
  readonly isAny: () => boolean
  /** Of a sentence: `, of those with the type media.uploaded`. */
  readonly said: () => string
  readonly learn: (letters: ReadonlyArray<DeadLetter>) => void
  readonly draw: () => Child
}

export const filters = (onChange: () => void): LetterFilters => {
  let given: Partial<Record<Field, string>> = {}
  const known = new Map<Field, Set<string>>(fields.map(([field]) => [field, new Set()]))

  const choose = (field: Field, value: string): void => {
    const { [field]: _before, ...others } = given
    given = value === "" ? others : { ...others, [field]: value }
    onChange()
  }

  return {
    given: () => given,
    isAny: () => Object.keys(given).length > 0,
    said: () => {
      const parts = fields.flatMap(([field]) => (given[field] === undefined ? [] : [`${field} ${given[field]}`]))
      return parts.length === 0 ? "" : ` (only ${parts.join(", ")})`
    },
    learn: (letters) => {
      for (const letter of letters) for (const [field, , of] of fields) known.get(field)?.add(of(letter))
    },
    draw: () =>
      h(
        "div",
        { class: "tools" },
        fields.map(([field, all]) =>
          h(
            "select",
            {
              key: field,
              "aria-label": `Only of this ${field}`,
              value: given[field] ?? "",
              onChange: (event: Event) =>
                event.target instanceof HTMLSelectElement && choose(field, event.target.value),
            },
            h("option", { value: "", key: "" }, all),
            [...(known.get(field) ?? [])].sort().map((value) => h("option", { value, key: `=${value}` }, value)),
          ),
        ),
      ),
  }
}

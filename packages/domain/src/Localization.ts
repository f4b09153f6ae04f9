/** Languages and time zones, as `Intl` knows them. */
import { Schema } from "effect"

const isTimeZone = (name: string): boolean => {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== ""
  } catch {
    return false
  }
}

const isLocale = (tag: string): boolean => {
  try {
    return Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}

/** IANA: `Europe/Paris`. */
export const TimeZone = Schema.String.check(
  Schema.isMaxLength(64),
  Schema.makeFilter((name: string) => isTimeZone(name) || "must be a time zone such as Europe/Paris"),
)

/** BCP 47: `fr`, `pt-BR`. PHP's `pt_BR` is the same language. */
export const Locale = Schema.String.check(
  Schema.isMaxLength(35),
  Schema.makeFilter((tag: string) => isLocale(tag.replaceAll("_", "-")) || "must be a language such as fr or pt-BR"),
)

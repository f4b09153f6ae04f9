/**
 * What a user wants to receive: category × channel, quiet hours and a language. Pure: the services decide with these
 * functions, and so may a page.
 */
import { Effect, Schema } from "effect"
import { optionalNullable, PhpObject } from "./JsonCodecs.ts"
import { Locale, TimeZone } from "./Localization.ts"

/** The channels that a user may switch. */
export const preferenceChannels = ["in_app", "push", "email", "sms", "slack", "teams", "discord", "webhook"] as const
export const PreferenceChannel = Schema.Literals(preferenceChannels)
export type PreferenceChannel = typeof PreferenceChannel.Type

/** The category that stands for every category without an own choice. */
export const anyCategory = "*"

const categoryPattern = /^(?:\*|[a-z0-9_-]{1,64})$/

const TimeOfDay = Schema.String.check(
  Schema.isPattern(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/u, { expected: "a time such as 22:00" }),
)

export const QuietHours = Schema.Struct({ from: TimeOfDay, to: TimeOfDay, time_zone: TimeZone }).check(
  Schema.makeFilter(({ from, to }: { readonly from: string; readonly to: string }) =>
    from === to ? { path: ["to"], issue: "from and to are equal; leave quiet_hours out for none" } : undefined,
  ),
)
export type QuietHours = typeof QuietHours.Type

/** A channel that is not named is on. */
const CategoryChoice = Schema.Struct(
  Object.fromEntries(preferenceChannels.map((channel) => [channel, Schema.optionalKey(Schema.Boolean)])) as {
    readonly [C in PreferenceChannel]: Schema.optionalKey<typeof Schema.Boolean>
  },
)
export type CategoryChoice = typeof CategoryChoice.Type

const maxCategories = 200

export const Preferences = Schema.Struct({
  categories: PhpObject(Schema.Record(Schema.String, PhpObject(CategoryChoice)))
    .check(
      Schema.makeFilter((categories: object) => {
        const names = Object.keys(categories)
        if (names.length > maxCategories) return `has more than ${maxCategories} categories`
        const wrong = names.find((name) => !categoryPattern.test(name))
        return wrong === undefined
          ? undefined
          : `has the category ${JSON.stringify(wrong)}; a name has 1 to 64 characters of a-z 0-9 _ -, and * stands for all`
      }),
    )
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  quiet_hours: optionalNullable(QuietHours),
  locale: optionalNullable(Locale),
})
export type Preferences = typeof Preferences.Type

export const noPreferences: Preferences = { categories: {} }

/** The choice for the category, else that for all categories; a channel without a choice is on. */
export const isAllowed = (
  { categories }: Preferences,
  category: string | undefined,
  channel: PreferenceChannel,
): boolean =>
  (category === undefined ? undefined : own(categories, category)?.[channel]) ??
  own(categories, anyCategory)?.[channel] ??
  true

/** A category may have the name of a property of every object. */
const own = (categories: Preferences["categories"], category: string): CategoryChoice | undefined =>
  Object.hasOwn(categories, category) ? categories[category] : undefined

/** Channels that disturb: quiet hours delay them. Mail, inbox and team channels wait by themselves. */
const disturbing: ReadonlySet<PreferenceChannel> = new Set(["push", "sms"])

const minuteMillis = 60_000
const dayMinutes = 1_440

/** Whether the local time, in minutes of the day, is within the quiet hours. */
const isQuietAt = ({ from, to }: QuietHours, minute: number): boolean => {
  const [start, end] = [minutesOf(from), minutesOf(to)]
  return start < end ? minute >= start && minute < end : minute >= start || minute < end
}

/**
 * When the quiet hours around `now` end, in epoch milliseconds; undefined outside of them. The local clock decides, so that
 * quiet hours are longer or shorter in the night in which it changes.
 */
export const quietUntil = (quiet: QuietHours, channel: PreferenceChannel, now: number): number | undefined => {
  if (!disturbing.has(channel)) return undefined
  const wall = wallClock(quiet.time_zone)
  const start = Math.floor(now / minuteMillis)
  const local = wall(start)
  if (!isQuietAt(quiet, local)) return undefined
  const end = minutesOf(quiet.to)
  const expected = start + modulo(end - local)
  if (wall(expected) === end) return expected * minuteMillis
  // The clock changes in between. Finds the first minute of the changed clock.
  let [before, after] = [start, expected]
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (wall(middle) === modulo(local + middle - start)) before = middle
    else after = middle
  }
  const changed = wall(after)
  // The clock may have jumped over the end.
  return (isQuietAt(quiet, changed) ? after + modulo(end - changed) : after) * minuteMillis
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

const modulo = (minutes: number): number => ((minutes % dayMinutes) + dayMinutes) % dayMinutes

const clocks = new Map<string, (epochMinute: number) => number>()

/** The local minute of the day at a minute since the epoch. */
const wallClock = (timeZone: string): ((epochMinute: number) => number) => {
  const known = clocks.get(timeZone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat("en", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
  const clock = (epochMinute: number) => minutesOf(format.format(epochMinute * minuteMillis))
  clocks.set(timeZone, clock)
  return clock
}

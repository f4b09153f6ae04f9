/** The time of every event field: RFC 3339 with any offset, as PHP's `DATE_ATOM` and `DATE_RFC3339_EXTENDED` write it. */
import { Schema } from "effect";
const pattern = /^([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$/u;
/** Longer fractions of a second are refused, so that a time has a bounded length in headers and logs. */
const maxLength = 64;
const daysIn = (year, month) => {
    const last = new Date(0);
    last.setUTCFullYear(year, month, 0);
    return last.getUTCDate();
};
/** Decodes to the same text; {@link toMillis} reads it. */
export const Timestamp = Schema.String.check(Schema.isPattern(pattern, { expected: "an RFC 3339 time such as 2026-01-31T12:00:00+01:00" }), Schema.isMaxLength(maxLength), Schema.makeFilter((text) => 
// Every month has 28 days.
Number(text.slice(8, 10)) <= 28 ||
    Number(text.slice(8, 10)) <= daysIn(Number(text.slice(0, 4)), Number(text.slice(5, 7)))
    ? undefined
    : "the month has no such day"));
/**
 * Epoch milliseconds of a {@link Timestamp}; digits below a millisecond are cut off. A leap second (`:60`) is the first
 * second of the next minute, as Unix time counts it. `Date.parse` reads neither leap seconds nor lower-case letters.
 */
export const toMillis = (timestamp) => {
    const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHour = 0, offsetMinute = 0] = pattern.exec(timestamp) ?? [];
    const date = new Date(0);
    // `Date.UTC` would read the years 0 to 99 as 1900 to 1999.
    date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
    date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, "0").slice(0, 3)));
    const offsetMinutes = (sign === "-" ? -1 : 1) * (Number(offsetHour) * 60 + Number(offsetMinute));
    return date.getTime() - offsetMinutes * 60_000;
};

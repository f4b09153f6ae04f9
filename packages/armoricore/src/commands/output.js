/** What commands print: flags with their default in the help, rows for people, JSON lines for programs. */
import { Console, Effect } from "effect";
import { Flag } from "effect/cli";
/** A flag with a default that its help shows. */
export const withShownDefault = (description, value) => (flag) => flag.pipe(Flag.withDescription(`${description} (default: ${value})`), Flag.withDefault(value));
export const limitFlag = Flag.Int("limit").pipe(withShownDefault("maximum number of lines", 100), Flag.filter((limit) => limit >= 1, (limit) => `--limit must be at least 1, but is ${limit}`));
export const jsonFlag = Flag.Boolean("json").pipe(Flag.withDescription("print one JSON object per line, with every field"), Flag.withDefault(false));
export const printRow = (...parts) => Console.log(parts.join("\t"));
/** One line per item: JSON, or tab-separated columns. Line breaks within a column would look like another item. */
export const printItems = (items, json, columns) => Effect.forEach(items, (item) => json
    ? Console.log(JSON.stringify(item))
    : printRow(...columns(item).map((part) => String(part).replaceAll(/[\t\r\n]+/g, " "))), { discard: true });

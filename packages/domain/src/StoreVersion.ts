/**
 * Which layout a store has, said in the store's own words about itself: the description of a NATS stream, the comment of
 * a PostgreSQL table. Whoever may look at the store may read it, so it needs no right of its own; it goes along with a
 * backup; and no operation pays for it. A store without a number was made before there were numbers, and has the first.
 *
 * A program looks once, at its start. Whoever changes a layout raises that store's number and takes older ones over
 * there, before the number is written.
 */
import { ConfigurationError } from "./Errors.ts"

const versionPattern = /\barmoricore schema (\d{1,9})\b/

const initialVersion = 1

export const versionOf = (words: string | null | undefined): number => {
  const found = versionPattern.exec(words ?? "")?.[1]
  return found === undefined ? initialVersion : Number(found)
}

/** The words with this number in them; what an operator wrote there stays. */
export const withVersion = (words: string | null | undefined, number: number): string => {
  const said = `armoricore schema ${number}`
  if (words === undefined || words === null || words === "") return said
  return versionPattern.test(words) ? words.replace(versionPattern, said) : `${words} (${said})`
}

/** Why a program that reads layouts up to `reads` must not touch this store; undefined where it may. */
export const newerVersionError = (store: string, found: number, reads: number): ConfigurationError | undefined =>
  found <= reads
    ? undefined
    : new ConfigurationError({
        setting: store,
        message: `The ${store} was written by a newer Armoricore (schema ${found}; this one reads ${reads}): start that version, or restore a backup from before it`,
      })

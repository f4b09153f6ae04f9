/** An operations module for the tests: numbered entries, and ways to go wrong. */
import type { EngineDatabase, OperationContext } from "../../src/Operations.ts"

export const migrations = ["CREATE TABLE tally_entries (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"]

export const operations = {
  add: (db: EngineDatabase, { text }: { readonly text: string }, context: OperationContext): number => {
    const { lastInsertRowid } = db.run("INSERT INTO tally_entries (text) VALUES (?)", text)
    context.emit(`added.${text}`, { text })
    return lastInsertRowid
  },
  addThenThrow: (db: EngineDatabase, { text }: { readonly text: string }, context: OperationContext): number => {
    db.run("INSERT INTO tally_entries (text) VALUES (?)", text)
    context.emit(`added.${text}`, { text })
    throw new Error("thrown on purpose")
  },
  texts: (db: EngineDatabase): ReadonlyArray<string> =>
    db.all<{ readonly text: string }>("SELECT text FROM tally_entries ORDER BY id").map(({ text }) => text),
  bytes: (_db: EngineDatabase, { body }: { readonly body: Uint8Array }): Uint8Array => body,
}

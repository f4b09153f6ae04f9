/**
 * Makes what a fixture holds as young as if it had been kept a moment ago: entries that end and rooms that forget would
 * otherwise be gone some weeks after the fixture was made. The tables are those of the release that it is of.
 */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** The embedded engine's tables. `later`: milliseconds. */
export const shiftEmbedded = (data: string, later: number): void => {
  const database = new DatabaseSync(join(data, "engine", "engine.sqlite"))
  try {
    const move = (table: string, column: string) =>
      database.prepare(`UPDATE ${table} SET ${column} = ${column} + ?`).run(later)
    for (const table of ["bus_event", "bus_work", "bus_dead", "bus_seen"]) move(table, "at")
    // With the state in PostgreSQL these are there.
    if (database.prepare("SELECT 1 FROM armoricore_schema WHERE module = 'state'").get() === undefined) return
    move("history_item", "at")
    move("state_entry", "ends")
  } finally {
    database.close()
  }
}

/** PostgreSQL's tables. */
export const shiftPostgres = (psql: string, url: string, later: number): void => {
  const interval = `interval '${later} milliseconds'`
  const statements = [
    `UPDATE armoricore_state SET ends = ends + ${interval}`,
    `UPDATE armoricore_history_item SET at = at + ${interval}`,
  ]
  execFileSync(psql, ["-v", "ON_ERROR_STOP=1", "-q", "-d", url, "-c", statements.join("; ")])
}

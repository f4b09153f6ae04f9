/**
 * Moves the stored times of a fixture to the present. Otherwise state entries and chat messages would expire some weeks
 * after the fixture was written. The table names are those of the version that wrote it.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
/** Shifts the tables of the embedded engine by `later` milliseconds. */
export const shiftEmbedded = (data, later) => {
    const database = new DatabaseSync(join(data, "engine", "engine.sqlite"));
    try {
        const move = (table, column) => database.prepare(`UPDATE ${table} SET ${column} = ${column} + ?`).run(later);
        for (const table of ["bus_event", "bus_work", "bus_dead", "bus_seen"])
            move(table, "at");
        // With the state in PostgreSQL, the embedded engine has no tables for state and history.
        if (database.prepare("SELECT 1 FROM armoricore_schema WHERE module = 'state'").get() === undefined)
            return;
        move("history_item", "at");
        move("state_entry", "ends");
    }
    finally {
        database.close();
    }
};
/** Shifts the tables in PostgreSQL by `later` milliseconds. */
export const shiftPostgres = (psql, url, later) => {
    const interval = `interval '${later} milliseconds'`;
    const statements = [
        `UPDATE armoricore_state SET ends = ends + ${interval}`,
        `UPDATE armoricore_history_item SET at = at + ${interval}`,
    ];
    execFileSync(psql, ["-v", "ON_ERROR_STOP=1", "-q", "-d", url, "-c", statements.join("; ")]);
};

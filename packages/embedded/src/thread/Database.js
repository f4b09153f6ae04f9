/** The SQLite file as the engine opens it: exclusively, with a write-ahead log that is synced at every commit. */
import { DatabaseSync } from "node:sqlite";
export const open = (path, busyTimeout) => {
    const sqlite = new DatabaseSync(path);
    try {
        sqlite.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
        // Exclusive before the first access: the log then needs no shared memory, and the lock is held until this process
        // ends.
        sqlite.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
        sqlite.exec("PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768");
        sqlite.exec("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS armoricore_schema (module TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT; COMMIT");
    }
    catch (cause) {
        sqlite.close();
        throw cause;
    }
    const statements = new Map();
    const statement = (sql) => {
        const known = statements.get(sql);
        if (known !== undefined)
            return known;
        const made = sqlite.prepare(sql);
        statements.set(sql, made);
        return made;
    };
    const pageSize = Number(statement("PRAGMA page_size").get()?.["page_size"]);
    let used;
    return {
        exec: (sql) => sqlite.exec(sql),
        begin: () => {
            used = undefined;
            statement("BEGIN").run();
        },
        run: (sql, ...parameters) => {
            const written = statement(sql).run(...parameters);
            return { changes: Number(written.changes), lastInsertRowid: Number(written.lastInsertRowid) };
        },
        // The row's shape follows from the statement, which only its author knows.
        get: (sql, ...parameters) => statement(sql).get(...parameters),
        all: (sql, ...parameters) => statement(sql).all(...parameters),
        usedBytes: () => {
            used ??=
                (Number(statement("PRAGMA page_count").get()?.["page_count"]) -
                    Number(statement("PRAGMA freelist_count").get()?.["freelist_count"])) *
                    pageSize;
            return used;
        },
        close: () => sqlite.close(),
    };
};
const primaryCode = (cause) => cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode & 0xff : undefined;
export const isBusy = (cause) => [5, 6].includes(primaryCode(cause) ?? 0);
/** A folder that cannot be created: the path and the reason in one sentence. */
const fileSystemFailure = (cause) => {
    if (!(cause instanceof Error) || !("code" in cause) || !("path" in cause))
        return undefined;
    const path = String(cause.path);
    switch (cause.code) {
        case "ENOTDIR":
            return {
                kind: "configuration",
                message: `The data folder ${path} cannot be created: a part of its path is a file`,
            };
        case "EACCES":
        case "EPERM":
        case "EROFS":
            return {
                kind: "configuration",
                message: `The data folder ${path} cannot be created or written (${cause.code}); name a folder that this user may write`,
            };
        case "ENOSPC":
            return { kind: "full", message: `The disk of the data folder ${path} is full; free some space` };
        default:
            return { kind: "configuration", message: `The data folder ${path} cannot be used: ${cause.message}` };
    }
};
/** Classifies an exception by SQLite's primary result code. */
export const engineFailureFrom = (cause) => {
    const message = cause instanceof Error ? cause.message : String(cause);
    const fileFault = fileSystemFailure(cause);
    if (fileFault !== undefined)
        return fileFault;
    switch (primaryCode(cause)) {
        case 13: // SQLITE_FULL
            return { kind: "full", message: `The disk of the data folder is full (${message}); free some space` };
        case 5: // SQLITE_BUSY
        case 6: // SQLITE_LOCKED
        case 10: // SQLITE_IOERR
            return { kind: "unavailable", message: `The data folder cannot be read or written: ${message}` };
        case 8: // SQLITE_READONLY
        case 11: // SQLITE_CORRUPT
        case 14: // SQLITE_CANTOPEN
        case 26: // SQLITE_NOTADB
            return {
                kind: "configuration",
                message: `The data folder cannot be used: ${message}; check its permissions, or restore it from a backup`,
            };
        default:
            return { kind: "defect", message: cause instanceof Error ? (cause.stack ?? message) : message };
    }
};

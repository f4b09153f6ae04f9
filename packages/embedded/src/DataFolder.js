/**
 * The engine's files in a data folder:
 * - `engine.sqlite`: the data. Its owner holds SQLite's exclusive lock, which the kernel releases when the process
 *   dies.
 * - `owner.json`: the owner's process id and socket, for messages only: the lock decides.
 * - `engine.sock`: the owner's socket, unless the folder's path is too long for one.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
/** Maximum length of a socket path: 107 bytes on Linux, 103 on macOS. */
const maxSocketPath = 100;
export const databasePath = (folder) => join(folder, "engine.sqlite");
const ownerFilePath = (folder) => join(folder, "owner.json");
/**
 * Creates the folders one by one. Node's recursive mkdir hangs on a file system like `/proc`, which answers every new
 * folder with ENOENT.
 */
export const create = (folder) => {
    if (existsSync(folder)) {
        if (statSync(folder).isDirectory())
            return;
        throw Object.assign(new Error(`${folder} is a file`), { code: "ENOTDIR", path: folder });
    }
    const above = dirname(folder);
    if (above !== folder)
        create(above);
    try {
        mkdirSync(folder, { mode: 0o700 });
    }
    catch (cause) {
        // Another process that starts at the same time may have created it.
        if (!existsSync(folder))
            throw cause;
    }
};
export const readOwnerFile = (folder) => {
    try {
        const note = JSON.parse(readFileSync(ownerFilePath(folder), "utf8"));
        return isOwnerFile(note) ? note : undefined;
    }
    catch {
        // No file, or one that a crash left half written: the owner cannot be named.
        return undefined;
    }
};
export const writeOwnerFile = (folder, socket) => writeFileSync(ownerFilePath(folder), JSON.stringify({ pid: process.pid, host: hostname(), startedAt: new Date().toISOString(), socket }), { mode: 0o600 });
export const removeOwnerFile = (folder) => rmSync(ownerFilePath(folder), { force: true });
/** The socket path of a new owner. A socket left by a dead owner is removed. */
export const newSocketPath = (folder) => {
    const usual = join(folder, "engine.sock");
    rmSync(usual, { force: true });
    const former = readOwnerFile(folder)?.socket;
    if (former !== undefined && former !== usual && former.startsWith(shortSocketPrefix()))
        removeSocket(folder, former);
    return Buffer.byteLength(usual) <= maxSocketPath ? usual : join(mkdtempSync(shortSocketPrefix()), "engine.sock");
};
export const removeSocket = (folder, socket) => {
    rmSync(socket, { force: true });
    if (dirname(socket) !== folder)
        rmSync(dirname(socket), { recursive: true, force: true });
};
/** Only folders with this prefix may be removed. */
const shortSocketPrefix = () => join(tmpdir(), "armoricore-socket-");
const isOwnerFile = (note) => typeof note === "object" &&
    note !== null &&
    "pid" in note &&
    typeof note.pid === "number" &&
    "socket" in note &&
    typeof note.socket === "string" &&
    "host" in note &&
    typeof note.host === "string" &&
    "startedAt" in note &&
    typeof note.startedAt === "string";

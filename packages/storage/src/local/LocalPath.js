/**
 * Encodes keys as file paths, reversibly. Names consist of `a-z 0-9 . _ -` and `%xx`, so that no key leaves the folder
 * and none collides on a case-insensitive disk. A folder's name ends in `+`, so that the keys `a` and `a/b` can
 * coexist; a segment too long for a file name continues in a folder whose name ends in `=`.
 */
import { join } from "node:path";
const maxNameBytes = 200;
/** The file of an object, below the bucket's folder. */
export const fileOf = (key) => {
    const parts = key.split("/");
    const last = parts.pop() ?? "";
    return join(...parts.flatMap((part) => encodeNames(part, "+")), ...encodeNames(last, ""));
};
/** The folder with every key of this prefix; `""` is the bucket's own. */
export const folderOf = (prefix) => prefix
    .split("/")
    .slice(0, -1)
    .flatMap((part) => encodeNames(part, "+"))
    .join("/");
/** The key of a file, from its path below the bucket's folder; undefined for a foreign file. */
export const keyOf = (path) => {
    let text = "";
    for (const name of path) {
        if (name.endsWith("="))
            text += name.slice(0, -1);
        else if (name.endsWith("+"))
            text += `${name === "%+" ? "" : name.slice(0, -1)}/`;
        else if (name !== "%")
            text += name;
    }
    return /^(?:[a-z0-9_./-]|%[0-9a-f]{2})*$/.test(text) ? decode(text) : undefined;
};
const encodeNames = (part, end) => {
    const pieces = [""];
    for (const unit of part === "" ? ["%"] : [...Buffer.from(part)].map(encode)) {
        const last = pieces.length - 1;
        const piece = pieces[last] ?? "";
        if (piece.length + unit.length > maxNameBytes)
            pieces.push(unit);
        else
            pieces[last] = piece + unit;
    }
    return pieces.map((piece, at) => piece + (at < pieces.length - 1 ? "=" : end));
};
const encode = (byte, at) => {
    const char = String.fromCharCode(byte);
    // A leading dot would hide the file.
    const plain = /[a-z0-9_-]/.test(char) || (char === "." && at > 0);
    return plain ? char : `%${byte.toString(16).padStart(2, "0")}`;
};
const decode = (text) => {
    try {
        return decodeURIComponent(text);
    }
    catch {
        return undefined;
    }
};

/**
 * The schema version of a store, written into the store's own description: that of a NATS stream, or the comment of a
 * PostgreSQL table. Reading it needs no additional permission, and backups include it. A store without a version has
 * version 1.
 *
 * A program checks the version once, at start. A migration raises the version after it has converted the store.
 */
import { ConfigurationError } from "./Errors.ts";
const versionPattern = /\barmoricore schema (\d{1,9})\b/;
const initialVersion = 1;
export const versionOf = (description) => {
    const version = versionPattern.exec(description ?? "")?.[1];
    return version === undefined ? initialVersion : Number(version);
};
/** The description with this version; the text of an operator stays. */
export const withVersion = (description, version) => {
    const marker = `armoricore schema ${version}`;
    if (description === undefined || description === null || description === "")
        return marker;
    return versionPattern.test(description) ? description.replace(versionPattern, marker) : `${description} (${marker})`;
};
/** The error of a program that supports versions up to `supported`; undefined if it may use the store. */
export const newerVersionError = (store, version, supported) => version <= supported
    ? undefined
    : new ConfigurationError({
        setting: store,
        message: `The ${store} was written by a newer Armoricore (schema ${version}; this one reads ${supported}): start that version, or restore a backup from before it`,
    });

import { Context } from "effect";
/** Undefined: no CDN, or one whose caches this program does not purge. */
export const CdnPurge = Context.Reference("@armoricore/storage/CdnPurge", {
    defaultValue: () => undefined,
});

/** The text of mail headers: titles and display names that every reader shows as they were written. */
import * as MimeFuncs from "nodemailer/lib/mime-funcs";
/** Longer words cannot be folded into lines of 78 characters, the limit that RFC 5322 recommends. */
const maxWordLength = 60;
/**
 * The text as RFC 2047 encoded-words, if it contains characters that readers would decode (`=?…?=`), or a word that is
 * too long for one line. Other texts are returned unchanged; nodemailer encodes their non-ASCII characters.
 */
export const protect = (text) => text.includes("=?") || (text.length > maxWordLength && hasLongWord(text)) ? MimeFuncs.encodeWord(text, "B", 52) : text;
/**
 * The same for a display name, which nodemailer quotes instead of encoding, and for a provider that composes the mail: an
 * invisible character (U+2060) breaks the look-alike.
 */
export const breakLookAlikes = (text) => text.replaceAll("=?", "=\u2060?");
const hasLongWord = (text) => text.split(/\s/).some((word) => word.length > maxWordLength);

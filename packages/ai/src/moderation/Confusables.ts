/**
 * Text as a reader sees it, whatever letters it was written with: `ｂａｄ`, `bаd` with a Cyrillic а, `b4d`, `b\u200Bad`
 * and `bààd` all fold to plain letters. For comparing only; nobody is shown the result.
 */

const characterPairs = (from: string, to: string): ReadonlyArray<readonly [string, string]> =>
  [...from].map((character, index) => [character, [...to][index] ?? ""] as const)

/** Letters of other scripts that look like Latin ones (after lower-casing and NFKC). */
const homoglyphs: ReadonlyMap<string, string> = new Map([
  ...characterPairs("аеорсухіјѕԁһӏԛԝвкмнтбпг", "aeopcyxijsdhlqwbkmht6nr"),
  ...characterPairs("αβγδεζηθικλμνξοπρστυφχψω", "abydezn0iklmvxonpstufxyw"),
  ...characterPairs("ɑɡɩɪʏʀɴʟʙɢʜıłøđħŧɓɗƙƥƭʋ", "agiiyrnlbghilodhtbdkptv"),
  ...characterPairs("օսհոցքզե", "oshngqqe"),
])

/** Digits and signs that stand for letters. */
const leetSubstitutions: ReadonlyMap<string, string> = new Map(characterPairs("0134578@$!|€£¡", "oieastbasiieli"))

/** Lower case, no marks, no invisible characters, lookalikes as Latin letters. */
export const foldConfusables = (text: string): string => {
  const plain = text
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}\u115f\u1160]/gu, "")
    .toLowerCase()
  let folded = ""
  for (const character of plain) folded += homoglyphs.get(character) ?? character
  return folded
}

/** Also digits and signs as the letters they stand for; only inside what has letters, so that numbers stay numbers. */
export const foldLeetspeak = (word: string): string => {
  if (!/\p{L}/u.test(word)) return word
  let folded = ""
  for (const character of word) folded += leetSubstitutions.get(character) ?? character
  return folded
}

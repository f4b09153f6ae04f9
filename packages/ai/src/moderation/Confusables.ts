/**
 * Folds text to plain Latin letters: `ｂａｄ`, `bаd` with a Cyrillic а, `b4d`, `b\u200Bad` and `bààd` all become `bad`. The
 * result is only for comparisons and is never shown.
 */

const characterPairs = (from: string, to: string): ReadonlyArray<readonly [string, string]> =>
  [...from].map((character, index) => [character, [...to][index] ?? ""] as const)

/** Letters of other scripts that look like Latin letters. The keys are in lower case and NFKC. */
const homoglyphs: ReadonlyMap<string, string> = new Map([
  ...characterPairs("аеорсухіјѕԁһӏԛԝвкмнтбпг", "aeopcyxijsdhlqwbkmht6nr"),
  ...characterPairs("αβγδεζηθικλμνξοπρστυφχψω", "abydezn0iklmvxonpstufxyw"),
  ...characterPairs("ɑɡɩɪʏʀɴʟʙɢʜıłøđħŧɓɗƙƥƭʋ", "agiiyrnlbghilodhtbdkptv"),
  ...characterPairs("օսհոցքզե", "oshngqqe"),
])

/** Digits and symbols that replace letters. */
const leetSubstitutions: ReadonlyMap<string, string> = new Map(characterPairs("0134578@$!|€£¡", "oieastbasiieli"))

/** Lower case, without marks and invisible characters, homoglyphs replaced. */
export const foldConfusables = (text: string): string => {
  const plain = text
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}\u115f\u1160]/gu, "")
    .toLowerCase()
  let folded = ""
  for (const character of plain) folded += homoglyphs.get(character) ?? character
  return folded
}

/** Replaces digits and symbols by letters. A word without letters is a number and stays unchanged. */
export const foldLeetspeak = (word: string): string => {
  if (!/\p{L}/u.test(word)) return word
  let folded = ""
  for (const character of word) folded += leetSubstitutions.get(character) ?? character
  return folded
}

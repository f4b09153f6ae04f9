/** Which characters a reader sees. */
/** Format characters, controls, fillers, variation selectors. */
export const invisibleCharacter = /^(?:\p{Cf}|\p{Cc}|\p{Variation_Selector}|\p{Default_Ignorable_Code_Point})$/u;
/** Braille without dots looks like a space and counts as a symbol. */
export const blankBraille = "\u2800";
/** Accents, vowel signs, enclosing circles: they change the character before them. */
const mark = /^\p{M}$/u;
/**
 * Whether a text shows nothing: white space, invisible characters, and marks without a character that they belong to. Ends
 * at the first visible character.
 */
export const isBlank = (text) => {
    for (const character of text) {
        if (/\s/u.test(character) || character === blankBraille)
            continue;
        if (!invisibleCharacter.test(character) && !mark.test(character))
            return false;
    }
    return true;
};

/**
 * The readability cost of a line break: best after punctuation, good before a conjunction or a preposition, worst after
 * an article. Japanese breaks before a word with kanji or katakana, because hiragana continues the word before it. For
 * other languages than those below only punctuation and the spaces between phrases count.
 */
import { primaryTag } from "../LanguageTag.ts";
import { spacedByPhrase } from "./WordBoundaries.ts";
const wordSet = (text) => new Set(text.split(" "));
const wordsByLanguage = new Map(Object.entries({
    en: {
        mayStartLine: wordSet("and but or nor so yet because although though while when where if unless until since that which who whose as " +
            "than in on at by for with from to into onto over under about after before between through during without"),
        mustNotEndLine: wordSet("a an the my your his her its our their this that these those no every each some any very mr mrs dr"),
    },
    fr: {
        mayStartLine: wordSet("et mais ou donc or ni car que qui dont où quand lorsque parce puisque si comme à de dans par pour en vers avec " +
            "sans sous sur chez entre depuis pendant avant après"),
        mustNotEndLine: wordSet("le la les l' un une des du au aux ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs"),
    },
    de: {
        mayStartLine: wordSet("und aber oder denn sondern weil dass ob wenn als während obwohl damit in an auf bei mit nach von zu aus für " +
            "durch gegen ohne um über unter vor zwischen seit"),
        mustNotEndLine: wordSet("der die das den dem des ein eine einen einem einer eines kein keine mein dein sein ihr unser euer dieser diese dieses"),
    },
    es: {
        mayStartLine: wordSet("y e o u pero sino porque que quien donde cuando si como aunque a de en con por para sin sobre desde hasta entre"),
        mustNotEndLine: wordSet("el la los las lo un una unos unas mi tu su nuestro nuestra este esta ese esa al del"),
    },
    pt: {
        mayStartLine: wordSet("e ou mas porque que quem onde quando se como embora a de em com por para sem sobre desde até entre"),
        mustNotEndLine: wordSet("o a os as um uma uns umas meu minha teu tua seu sua este esta esse essa ao do da no na"),
    },
    it: {
        mayStartLine: wordSet("e o ma perché che chi dove quando se come anche a di da in con su per tra fra senza"),
        mustNotEndLine: wordSet("il lo la i gli le un uno una mio mia tuo tua suo sua questo questa quel quella del della al alla"),
    },
}));
/** The cost of a break between `word` and `next`: 0 (end of a sentence) to 10 (after an article). */
export const lineBreakCost = (language) => {
    const words = wordsByLanguage.get(primaryTag(language));
    return ({ text: word }, { spaceBefore, text: next }) => {
        if (/[.!?…。！？؟۔।॥။።։༎]["'»”’)\]」』]*$/u.test(word))
            return 0;
        if (/[,;:—–、，；：،؛၊፣]["'»”’)\]」』]*$/u.test(word))
            return 1;
        if (/^\p{sc=Hiragana}/u.test(next))
            return 7;
        if (spaceBefore && spacedByPhrase.test(word))
            return 1;
        if (words === undefined)
            return 4;
        const last = stripPunctuation(word);
        if (words.mustNotEndLine.has(last))
            return 10;
        // A preposition must stay with the word after it.
        if (words.mayStartLine.has(last))
            return 8;
        return words.mayStartLine.has(stripPunctuation(next)) ? 2 : 4;
    };
};
const stripPunctuation = (word) => word.toLowerCase().replace(/^[^\p{L}]+|[^\p{L}']+$/gu, "");

import { hasSpaceBetween } from "../captions/WordBoundaries.ts";
export const joinTokens = (tokens) => {
    const textTokens = tokens.filter(({ text }) => !/^\s*(\[_.*\]|<\|.*\|>)\s*$/.test(text));
    if (!textTokens.some(({ text }) => /^\s/.test(text)))
        return textTokens;
    const words = [];
    for (const token of textTokens) {
        const last = words.at(-1);
        const text = token.text.trimStart();
        const hasLeadingSpace = text !== token.text;
        const isSpacedByDefault = last === undefined || hasSpaceBetween(last.text, text);
        if (last === undefined || hasLeadingSpace || !isSpacedByDefault) {
            words.push({ ...token, text, ...(hasLeadingSpace && !isSpacedByDefault ? { space_before: true } : {}) });
            continue;
        }
        const minConfidence = Math.min(last.confidence ?? 1, token.confidence ?? 1);
        words[words.length - 1] = {
            ...last,
            end: Math.max(last.end, token.end),
            text: last.text + token.text,
            ...(last.confidence === undefined ? {} : { confidence: minConfidence }),
        };
    }
    return words;
};

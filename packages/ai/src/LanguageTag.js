/** Language names of engines as BCP 47 tags, and the vote between several parts of a recording. */
/** `en-GB` → `en`. */
export const primaryTag = (language) => language.toLowerCase().split(/[-_]/)[0] ?? "";
/** The BCP 47 tag of an unknown language. */
export const undetermined = "und";
const codesByName = new Map(("af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is " +
    "it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk " +
    "sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh")
    .split(" ")
    .flatMap((code) => {
    const name = new Intl.DisplayNames(["en"], { type: "language" }).of(code)?.toLowerCase();
    return name === undefined ? [] : [[name, code]];
}));
/** The BCP 47 tag of an engine's answer such as `english`, `EN` or `en-US`; undefined for `auto` and other texts. */
export const parseTag = (reported) => {
    const text = reported?.trim().toLowerCase();
    if (text === undefined || text === "" || text === "auto" || text === "unknown")
        return undefined;
    return (codesByName.get(text) ?? (/^[a-z]{2,3}([-_][a-z0-9]{2,8})*$/.test(text) ? text.replaceAll("_", "-") : undefined));
};
/** The canonical form of a requested tag (`en-gb` → `en-GB`); undefined if it is not a valid tag. */
export const canonicalTag = (requested) => {
    const tag = parseTag(requested);
    if (tag === undefined)
        return undefined;
    // Intl throws for an invalid tag such as `en-us-us`.
    try {
        return Intl.getCanonicalLocales(tag)[0] ?? tag;
    }
    catch {
        return undefined;
    }
};
/** The most frequent tag; of equally frequent ones the first. */
export const majorityTag = (tags) => {
    const counts = new Map();
    for (const language of tags) {
        if (language !== undefined)
            counts.set(language, (counts.get(language) ?? 0) + 1);
    }
    return [...counts].reduce((best, entry) => (best === undefined || entry[1] > best[1] ? entry : best), undefined)?.[0];
};

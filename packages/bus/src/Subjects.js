import { prefixes, subject } from "./Address.ts";
export const allEvents = `${prefixes.event}>`;
/** The subject, or subject pattern, of an address or of `all-events`. */
export const pattern = (from) => (from === "all-events" ? allEvents : subject(from));
export const matcher = (wanted) => {
    const tokens = wanted.split(".");
    if (!tokens.includes("*") && tokens.at(-1) !== ">")
        return (candidate) => candidate === wanted;
    return (candidate) => {
        const parts = candidate.split(".");
        for (const [index, token] of tokens.entries()) {
            if (token === ">")
                return parts.length > index;
            if (index >= parts.length || (token !== "*" && token !== parts[index]))
                return false;
        }
        return parts.length === tokens.length;
    };
};
export const isConsumerName = (name) => /^[a-z0-9-]{1,128}$/.test(name);

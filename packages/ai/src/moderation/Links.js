/**
 * The hosts of all texts that a client or browser takes for links, with and without a scheme. A host comes from the WHATWG URL
 * parser, as in a browser: `https://evil.example\@allowed.example` is evil.example. Whether a text without a scheme is a
 * host is decided by the public suffix list.
 *
 * The patterns have no ambiguous repetition, so the scan is linear in the length of the message.
 */
import { parse } from "tldts";
/** Enough to decide; a message with more of them is no conversation. */
const maxHosts = 50;
/** Other characters that browsers read as the dots of a host. */
const otherDots = /[\u3002\uff0e\uff61\u2024]/gu;
const ignored = /[\p{Cf}\ufe00-\ufe0f]/gu;
/** A scheme or two slashes, and all up to the next white space; browsers read `\` as `/`. */
const withScheme = /(?:(?:https?|ftps?|wss?):[\\/]*|(?<![\p{L}\p{N}:\\/])[\\/]{2}|[a-z][a-z0-9+.-]{1,20}:[\\/]{2})([^\s<>"]+)/giu;
const hostCharacter = String.raw `\p{L}\p{M}\p{N}_Ⓐ-ⓩ-`;
/** The path of a link, such as `/report.zip`, is no host. It ends at `:` and `@`, so that a second link is found. */
const pathOfLink = /((?:https?|ftps?|wss?):\/\/[^\s<>"\\/?#]+)[/?#][\w.~/?#&=+%$-]*/giu;
const bareHost = new RegExp(`[${hostCharacter}]+(?:\\.[${hostCharacter}]+)+`, "gu");
/**
 * Top-level domains that are better known as the endings of files. A bare name such as `README.md` is a file, as chat
 * programs take it; `https://readme.md`, `www.readme.md` and `readme.md/x` are links. Names in `.zip` and `.mov` are links,
 * because these domains are used to deceive.
 */
const fileEnding = /\.(?:java|md|mk|properties|ps|py|rs|sh|tf)$/i;
const startOfPath = /^(?::\d+)?\/|^\?[\p{L}\p{N}]/u;
/** In lower case and ASCII (`xn--…`), without a final dot. Ends early after {@link maxHosts}. */
export const linkedHosts = (content) => {
    if (!/[.:/\\\u3002\uff0e\uff61\u2024]/u.test(content))
        return [];
    const visible = content.replace(ignored, "");
    const text = visible.replace(otherDots, ".");
    const hosts = [];
    for (const [whole, rest = ""] of text.matchAll(withScheme)) {
        const scheme = /^[\\/]/.test(whole) ? "https:" : (/^[a-z][a-z0-9+.-]*:/i.exec(whole)?.[0] ?? "https:");
        const host = hostOf(`${scheme}//${rest.replace(/^[\\/]+/, "").slice(0, 2_000)}`);
        // A comment such as `// so` in a text is no link.
        if (host !== undefined && (!/^[\\/]/.test(whole) || isKnownHost(host)))
            hosts.push(host);
        if (hosts.length >= maxHosts)
            return hosts;
    }
    // Each path becomes as many spaces, so that an index is the same in `visible`.
    const withoutPaths = text.replace(pathOfLink, (whole, host) => host.padEnd(whole.length));
    for (const { 0: name, index } of withoutPaths.matchAll(bareHost)) {
        if (isFileName(name, visible, index))
            continue;
        // A parser of URLs reads 3.5 as the address 3.0.0.5.
        if (/^[0-9.]+$/.test(name) && !/^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$/.test(name))
            continue;
        const host = hostOf(`https://${name.slice(-300)}`);
        if (host !== undefined && isKnownHost(host))
            hosts.push(host);
        if (hosts.length >= maxHosts)
            return hosts;
    }
    return hosts;
};
/** `name` begins at `index` of the text as its readers see it; a name with other dots is a disguised host. */
const isFileName = (name, visible, index) => fileEnding.test(name) &&
    !/^www\./i.test(name) &&
    visible.startsWith(name, index) &&
    visible[index - 1] !== "@" &&
    !startOfPath.test(visible.slice(index + name.length, index + name.length + 8));
const hostOf = (address) => {
    const url = URL.parse(address);
    const host = url?.hostname.replace(/\.+$/, "");
    return host === undefined || host === "" ? undefined : host;
};
const isKnownHost = (host) => {
    const { isIcann, isIp, isPrivate, domain } = parse(host, { allowPrivateDomains: true });
    return isIp === true || (domain !== null && (isIcann === true || isPrivate === true));
};
export const isWithin = (host, domain) => host === domain || host.endsWith(`.${domain}`);
/** A domain of the settings as a host. */
export const toHost = (domain) => hostOf(`https://${domain.trim()}`) ?? domain.toLowerCase();

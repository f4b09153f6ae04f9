/**
 * Protection against server-side request forgery: URLs that users supply may only lead to the public internet, never to
 * this machine, its network or a cloud's metadata service. The address of the connection itself is checked, so DNS
 * rebinding between check and connection has no effect.
 */
import { lookup } from "node:dns";
import { BlockList, isIP } from "node:net";
// BlockList checks IPv4-mapped IPv6 addresses (::ffff:…) against the IPv4 networks.
const blockList = new BlockList();
for (const [network, prefix] of [
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.88.99.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["224.0.0.0", 4],
    ["240.0.0.0", 4],
]) {
    blockList.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
    ["::", 96],
    ["64:ff9b::", 96],
    ["64:ff9b:1::", 48],
    ["100::", 64],
    ["2001::", 23],
    ["2001:db8::", 32],
    ["2002::", 16],
    ["fc00::", 7],
    ["fe80::", 10],
    // Site-local addresses, which RFC 3879 withdrew and systems still route.
    ["fec0::", 10],
    ["ff00::", 8],
]) {
    blockList.addSubnet(network, prefix, "ipv6");
}
export const isPublic = (address) => {
    const family = isIP(address);
    return family !== 0 && !blockList.check(address, family === 4 ? "ipv4" : "ipv6");
};
/** Why a URL must not be called; undefined: allowed so far, the host name is checked when it is resolved. */
export const blockedReason = (url) => {
    if (url.protocol !== "https:")
        return "its scheme is not https";
    if (url.username !== "" || url.password !== "")
        return "it contains credentials";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(host) !== 0 && !isPublic(host))
        return "it leads to a private network";
    return host === "localhost" || host.endsWith(".localhost") || host.endsWith(".internal") || host.endsWith(".local")
        ? "it leads to a private network"
        : undefined;
};
/** The error code for a name that resolves to a private network. */
export const privateAddressCode = "EPRIVATE";
/** Resolves as the system does, without private addresses; for `net.connect`. */
export const publicLookup = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null)
            return callback(error, []);
        const allowed = addresses.filter(({ address }) => isPublic(address));
        const [first] = allowed;
        if (first === undefined) {
            return callback(Object.assign(new Error(`${hostname} leads to a private network`), { code: privateAddressCode }), []);
        }
        return options.all === true ? callback(null, allowed) : callback(null, first.address, first.family);
    });
};

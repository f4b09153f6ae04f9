/**
 * Addresses that a user supplied may only lead to the public internet: never to this machine, its network, or a cloud's
 * metadata service. The check is made on the address that is really connected to, so a name that changes its answer
 * between check and connection gains nothing.
 */
import { lookup } from "node:dns"
import { BlockList, isIP, type LookupFunction } from "node:net"

// IPv4 addresses in IPv6 notation (::ffff:…) are judged by the IPv4 networks.
const blockList = new BlockList()
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
] as const) {
  blockList.addSubnet(network, prefix, "ipv4")
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
  ["ff00::", 8],
] as const) {
  blockList.addSubnet(network, prefix, "ipv6")
}

export const isPublic = (address: string): boolean => {
  const family = isIP(address)
  return family !== 0 && !blockList.check(address, family === 4 ? "ipv4" : "ipv6")
}

/** Why a URL must not be called; undefined where the name has yet to be resolved. */
export const blockedReason = (url: URL): string | undefined => {
  if (url.protocol !== "https:") return "it is not https"
  if (url.username !== "" || url.password !== "") return "it holds credentials"
  const host = url.hostname.replace(/^\[|\]$/g, "")
  if (isIP(host) !== 0 && !isPublic(host)) return "it leads into a private network"
  return host === "localhost" || host.endsWith(".localhost") || host.endsWith(".internal") || host.endsWith(".local")
    ? "it leads into a private network"
    : undefined
}

/** Code of the error where a name leads into a private network. */
export const privateAddressCode = "EPRIVATE"

/** Resolves like the system does and refuses private addresses; for `net.connect`. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, [])
    const allowed = addresses.filter(({ address }) => isPublic(address))
    const [first] = allowed
    if (first === undefined) {
      return callback(
        Object.assign(new Error(`${hostname} leads into a private network`), { code: privateAddressCode }),
        [],
      )
    }
    return options.all === true ? callback(null, allowed) : callback(null, first.address, first.family)
  })
}

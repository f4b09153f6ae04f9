/**
 * Which node looks after something (a user's rate, a lost node's users): all who see the same nodes choose the same one, and
 * a node that comes or goes moves only what it owns (highest random weight).
 */

/** `nodes` has at least this node itself. */
export const ownerOf = (key: string, nodes: ReadonlyArray<string>): string => {
  let best = ""
  let highest = -1
  for (const node of nodes) {
    const weight = hash(`${key}\n${node}`)
    if (weight > highest || (weight === highest && node > best)) {
      best = node
      highest = weight
    }
  }
  return best
}

/** FNV-1a with a last mixing, since names differ in few characters. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

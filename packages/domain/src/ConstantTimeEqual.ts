/** Compares secret bytes. The duration does not depend on where they differ. */
export const constantTimeEqual = (a: Uint8Array, b: Uint8Array): boolean => {
  let difference = a.byteLength ^ b.byteLength
  for (const [index, byte] of a.entries()) difference |= byte ^ (b[index] ?? 0)
  return difference === 0
}

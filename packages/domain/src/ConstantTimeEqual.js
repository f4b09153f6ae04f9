/** Compares secret bytes. The duration does not depend on where they differ. */
export const constantTimeEqual = (a, b) => {
    let difference = a.byteLength ^ b.byteLength;
    for (const [index, byte] of a.entries())
        difference |= byte ^ (b[index] ?? 0);
    return difference === 0;
};

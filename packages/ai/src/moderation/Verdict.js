/** The stricter action with the reasons of both. */
export const combine = (a, b) => {
    if (a === undefined || b === undefined)
        return a ?? b;
    return {
        action: a.action === "remove" || b.action === "remove" ? "remove" : "review",
        reasons: [...new Set([...a.reasons, ...b.reasons])],
    };
};

/** `action` is the field of RFC 3464: only with `failed` is the status the final one. */
export const verdictOf = (status, action = "failed") => {
    const [, code = "", subject = "", detail = ""] = /^\s*([245])\.(\d{1,3})\.(\d{1,3})/.exec(status ?? "") ?? [];
    if (code === "")
        return "unclear";
    if (code !== "5" || action.toLowerCase() !== "failed")
        return "valid";
    if (subject === "1") {
        if (invalidAddress.has(detail))
            return "invalid";
        return detail === "7" || detail === "8" ? "valid" : "unclear";
    }
    if (subject === "2")
        return detail === "2" || detail === "3" ? "valid" : "unclear";
    return /^[3567]$/.test(subject) ? "valid" : "unclear";
};
/** 5.1.10 is the null MX of RFC 7505. */
const invalidAddress = new Set(["0", "1", "2", "3", "6", "10"]);

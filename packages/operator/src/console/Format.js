/** Formats numbers, times and names for display. */
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const number = (value) => value >= 100_000
    ? compact.format(value)
    : value >= 10 || Number.isInteger(value)
        ? whole.format(value)
        : oneDecimal.format(value);
export const bytes = (value) => value < 1024
    ? `${value} B`
    : value < 1024 ** 2
        ? `${oneDecimal.format(value / 1024)} KB`
        : `${whole.format(value / 1024 ** 2)} MB`;
export const percent = (part) => `${Math.round(part * 100)} %`;
/** A duration in milliseconds, for example `4.2 s`. */
export const duration = (millis) => {
    if (millis > 0 && millis < 1)
        return "< 1 ms";
    if (millis < 1_000)
        return `${Math.round(millis)} ms`;
    const seconds = millis / 1_000;
    if (seconds < 10)
        return `${oneDecimal.format(seconds)} s`;
    if (seconds < 120)
        return `${Math.round(seconds)} s`;
    const minutes = seconds / 60;
    if (minutes < 120)
        return `${Math.round(minutes)} min`;
    return minutes < 60 * 48 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
};
/** The time since an RFC 3339 time or epoch milliseconds, for example `3 min ago`. */
export const ago = (time, now = Date.now()) => {
    const past = now - (typeof time === "number" ? time : Date.parse(time));
    return past < 2_000 ? "just now" : `${duration(past)} ago`;
};
export const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
export const moment = (time) => new Date(time).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
});
/** `ReplayDeadLetter` → `Replay dead letter`. */
export const words = (name) => {
    const [first = "", ...rest] = name.split(/(?=[A-Z])/);
    return [first, ...rest.map((word) => (word === "I" ? word : word.toLowerCase()))].join(" ");
};
/** Indents JSON. Other text is returned unchanged. */
export const prettyJson = (text) => {
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    }
    catch {
        return text;
    }
};

/** The messages between the bench, its crowds and its peers, and what clients write. */
export const secret = "a-secret-for-the-bench-that-is-long-enough";
/** `armoricore`: the whole program. `ws`: encodes once, and writes to each socket. `limit`: one write for all frames of a turn. */
export const subjectKinds = ["armoricore", "armoricore on NATS", "ws", "limit"];
/** Texts of 4,000 characters: plain, and those that cost a naive filter most. */
const longTexts = {
    plain: "the quick brown fox jumps over the lazy dog ".repeat(91).slice(0, 4000),
    ligatures: "\ufdfa".repeat(4000),
    labels: "a.".repeat(2000),
    slashes: "http://".repeat(571),
    marks: "a\u0301\u0301\u0301".repeat(1000),
};
export const textKinds = ["plain", "ligatures", "labels", "slashes", "marks"];
/** The time when the message was written is in its text, where readers find it without decoding. */
export const timeMarker = "sent at ";
export const textOf = (sequence) => `message ${sequence}, ${timeMarker}${(performance.timeOrigin + performance.now()).toFixed(3)} of the epoch`;
export const push = (topic, sequence, kind) => {
    const content = kind === undefined ? textOf(sequence) : `${sequence} ${longTexts[kind]}`.slice(0, 4000);
    return JSON.stringify(["1", `${sequence}`, topic, "new_message", { content }]);
};

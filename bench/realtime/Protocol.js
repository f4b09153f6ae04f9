/** The messages between the bench and its servers, and the frames that they broadcast. */
export const serverKinds = ["armoricore", "ws", "socket.io"];
export const secret = "a-secret-for-the-bench-that-is-long-enough";
/** The topic of the broadcast measurements. */
export const topic = "chat:room:bench";
export const event = "new_message";
/** The same for every server: an id, a time that the reader finds, and text, in a frame of 178 bytes or so. */
export const payload = (seq) => ({
    id: "0190a0b0-0000-7000-8000-000000000000",
    seq: 1_000_000 + seq,
    t: (performance.timeOrigin + performance.now()).toFixed(3),
    content: "x".repeat(16),
    user_id: "user",
});

/** The topic for messages about the connection. */
export const controlTopic = "phoenix";
export const decide = (message, 
/** The membership of the message's topic, joined or with a pending join. */
current, joined, maxTopics) => {
    const { joinRef, topic, event } = message;
    if (topic === controlTopic)
        return event === "heartbeat" ? "heartbeat" : "unmatched";
    if (event === "phx_join") {
        if (current !== undefined)
            return "replace";
        return joined >= maxTopics ? "too many" : "join";
    }
    if (current === undefined)
        return event === "phx_leave" ? "leave unjoined" : "unmatched";
    // A membership that was joined without a ref accepts every ref.
    if (joinRef !== null && current.joinRef !== null && joinRef !== current.joinRef)
        return "stale";
    return event === "phx_leave" ? "leave" : "deliver";
};

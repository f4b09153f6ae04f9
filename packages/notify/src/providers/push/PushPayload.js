/**
 * Whether the push wakes the app and shows nothing: `push.silent`, or `data.aps` with `content-available` and nothing to
 * show.
 */
export const isSilent = ({ data, push, text, title }) => {
    if (push?.silent !== undefined)
        return push.silent;
    const { aps } = data;
    return title === "" && text === "" && isObject(aps) && isTrue(aps["content-available"]) && !("alert" in aps);
};
/** Whether `data.aps` starts, updates or ends a Live Activity; the token is then that of the activity. */
export const isLiveActivity = ({ data: { aps } }) => isObject(aps) && typeof aps["event"] === "string";
/** Apple's priority: 10 at once, 5 at a time that saves power, 1 low. A silent push may not have 10. */
export const apnsPriority = (message) => {
    const { priority } = message.push ?? {};
    if (priority === "low")
        return "1";
    return priority === "normal" || isSilent(message) ? "5" : "10";
};
/**
 * The dictionary `aps` without the texts. The keys of `data.aps` come first, and the fields of `push` replace them. A
 * string is the reason why `data.aps` is refused.
 */
export const apsOf = (message) => {
    const { data, push = {} } = message;
    const given = data["aps"];
    if (given !== undefined && !isObject(given))
        return "data.aps must be an object, as Apple defines it; rename the key";
    const fault = given === undefined ? undefined : faultOf(given);
    if (fault !== undefined)
        return fault;
    const { badge, category, image, sound, thread_id } = push;
    if (isSilent(message)) {
        // Apple refuses a background push with anything to show.
        const { alert: _alert, badge: _badge, sound: _sound, ...rest } = given ?? {};
        return { ...rest, "content-available": 1 };
    }
    return {
        ...given,
        ...(given !== undefined && isTrue(given["content-available"]) ? { "content-available": 1 } : {}),
        ...(sound === undefined || sound === false ? {} : { sound: sound === true ? "default" : sound }),
        ...(badge === undefined ? {} : { badge }),
        ...(category === undefined ? {} : { category }),
        ...(thread_id === undefined ? {} : { "thread-id": thread_id }),
        // Lets the app's extension load the picture.
        ...(image === undefined ? {} : { "mutable-content": 1 }),
    };
};
/** Names the key of `data.aps` that Apple would refuse, or ignore without a word. */
const faultOf = (aps) => {
    for (const key of ["content-available", "mutable-content"]) {
        const value = aps[key];
        if (value !== undefined && !isTrue(value) && value !== 0 && value !== false)
            return `data.aps.${key} is ${JSON.stringify(value)}; it must be 1 or 0`;
    }
    const { alert, badge, event, sound } = aps;
    if (event !== undefined && event !== "start" && event !== "update" && event !== "end")
        return `data.aps.event is ${JSON.stringify(event)}; it must be start, update or end`;
    if ((event === "start" || event === "update") && !isObject(aps["content-state"]))
        return "data.aps.content-state is missing; a Live Activity needs it as an object";
    if (event !== undefined && !Number.isInteger(aps["timestamp"]))
        return `data.aps.timestamp is ${JSON.stringify(aps["timestamp"])}; a Live Activity needs it in Unix seconds`;
    if (badge !== undefined && !(Number.isInteger(badge) && Number(badge) >= 0))
        return `data.aps.badge is ${JSON.stringify(badge)}; it must be a whole number`;
    if (sound !== undefined && typeof sound !== "string" && !isObject(sound))
        return `data.aps.sound is ${JSON.stringify(sound)}; it must be a name or an object`;
    if (alert !== undefined && typeof alert !== "string" && !isObject(alert))
        return `data.aps.alert is ${JSON.stringify(alert)}; it must be text or an object`;
    for (const key of ["category", "thread-id"]) {
        const value = aps[key];
        if (value !== undefined && typeof value !== "string")
            return `data.aps.${key} is ${JSON.stringify(value)}; it must be text`;
    }
    return undefined;
};
/** Points out the field of `data` with the most bytes: `; the largest is data.x with 5,000 bytes`. */
export const largestField = ({ data }) => {
    const sizes = Object.entries(data).map(([key, value]) => ({ key, size: Buffer.byteLength(JSON.stringify(value)) }));
    const [largest] = sizes.toSorted((a, b) => b.size - a.size);
    return largest === undefined || largest.size < 500
        ? ""
        : `; the largest field is data.${largest.key} with ${largest.size} bytes`;
};
const isTrue = (value) => value === 1 || value === true;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

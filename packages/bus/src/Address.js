export const event = (type) => ({ channel: "event", type });
export const work = (service, kind) => ({ channel: "work", service, kind });
export const deadLetter = (service, type) => ({ channel: "dead", service, type });
export const ephemeral = (topic) => ({ channel: "live", topic });
/** The type of a dead letter may come from outside: characters that are not valid in a subject token become `_`. */
export const deadLetterType = (text) => {
    const cleaned = text
        .replace(/[^A-Za-z0-9_.-]/g, "_")
        .replace(/^\.+|\.+$|\.(?=\.)/g, "_")
        .slice(0, 128);
    return cleaned === "" ? "_" : cleaned;
};
export const prefixes = {
    event: "armoricore.",
    work: "armoricore-work.",
    dead: "armoricore-dead.",
    ephemeral: "armoricore-live.",
};
export const subject = (address) => {
    switch (address.channel) {
        case "event":
            return prefixes.event + address.type;
        case "work":
            return `${prefixes.work}${address.service}.${address.kind}`;
        case "dead":
            return `${prefixes.dead}${address.service}.${deadLetterType(address.type)}`;
        case "live":
            return prefixes.ephemeral + address.topic;
    }
};

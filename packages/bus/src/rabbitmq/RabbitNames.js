/**
 * Names on the broker. Only `armoricore` is public; the rest is internal.
 *
 *     armoricore, armoricore-work ──▶ armoricore.consumer.<name> ──▶ handler
 *          │ no consumer yet                 ▲              │ later
 *          ▼                                │              ▼
 *     armoricore.unrouted            armoricore.return ◀── armoricore.delay.<ms>
 *
 * A message delivered too often goes to `armoricore.parked`.
 */
import { deadLetterType, prefixes } from "../Address.ts";
export const exchanges = {
    event: "armoricore",
    work: "armoricore-work",
    dead: "armoricore-dead",
    ephemeral: "armoricore-live",
    unrouted: "armoricore.unrouted",
    parked: "armoricore.parked",
    /** Routing key `<step>.<consumer>`. */
    delay: "armoricore.delay",
    /** The same routing key on the return path. */
    redelivery: "armoricore.return",
};
export const queues = {
    dead: "armoricore-dead",
    unrouted: "armoricore.unrouted",
    parked: "armoricore.parked",
    /** An empty queue that stores the schema version, see `RabbitSchema`. */
    schema: "armoricore.schema",
    /** Lock queues, see `RabbitLock`. */
    browseLock: "armoricore-dead.browser",
    collectorLock: "armoricore.unrouted.collector",
};
export const consumerQueue = (name) => `armoricore.consumer.${name}`;
/** The routing key is the subject without the channel's prefix. */
export const routingKey = (address) => {
    switch (address.channel) {
        case "event":
            return address.type;
        case "work":
            return `${address.service}.${address.kind}`;
        case "dead":
            return `${address.service}.${deadLetterType(address.type)}`;
    }
};
export const bindingOf = (from) => from === "all-events"
    ? { exchange: exchanges.event, key: "#" }
    : { exchange: exchanges[from.channel], key: routingKey(from) };
const prefixOf = new Map([
    [exchanges.event, prefixes.event],
    [exchanges.work, prefixes.work],
    [exchanges.dead, prefixes.dead],
    [exchanges.ephemeral, prefixes.ephemeral],
]);
/** `undefined` if the message came through an internal exchange without subjects. */
export const subjectOf = (exchange, key) => {
    const prefix = prefixOf.get(exchange);
    return prefix === undefined ? undefined : prefix + key;
};

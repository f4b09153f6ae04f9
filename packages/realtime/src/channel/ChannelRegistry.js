import { Context, Layer } from "effect";
const maxRememberedTopics = 1000;
export class ChannelRegistry extends Context.Service()("@armoricore/realtime/ChannelRegistry") {
    static layer = Layer.sync(ChannelRegistry, () => {
        const channels = new Map();
        /** The topics that were found last: those who join one room share its parsed parameters. */
        const found = new Map();
        return {
            register: (channel) => {
                channels.set(channel.pattern, channel);
                found.clear();
            },
            find: (topic) => {
                const known = found.get(topic);
                if (known !== undefined)
                    return known;
                for (const channel of channels.values()) {
                    const params = channel.match(topic);
                    if (params === undefined)
                        continue;
                    if (found.size >= maxRememberedTopics)
                        found.clear();
                    const match = { channel, params };
                    found.set(topic, match);
                    return match;
                }
                return undefined;
            },
            patterns: () => [...channels.keys()],
        };
    });
}

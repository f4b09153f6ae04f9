/** In milliseconds. */
const leaveDelay = 300;
export const shared = (close) => {
    const sockets = new WeakMap();
    return {
        acquire: (socket, key, open) => {
            const entries = sockets.get(socket) ?? new Map();
            sockets.set(socket, entries);
            const entry = entries.get(key) ?? { value: open(), users: 0 };
            entries.set(key, entry);
            entry.users++;
            clearTimeout(entry.timer);
            return {
                value: entry.value,
                release: () => {
                    entry.users--;
                    if (entry.users > 0)
                        return;
                    entry.timer = setTimeout(() => {
                        if (entries.get(key) === entry)
                            entries.delete(key);
                        close(entry.value);
                    }, leaveDelay);
                },
            };
        },
    };
};

const metasOf = (value) => Object.entries((value ?? {})).map(([user, { metas }]) => [user, metas]);
/** Calls `onChange` after each change. */
export const trackPresence = (channel, onChange) => {
    const users = new Map();
    let counted;
    const add = (value) => {
        for (const [user, metas] of metasOf(value)) {
            const refs = new Set(metas.map(({ phx_ref }) => phx_ref));
            users.set(user, [...(users.get(user) ?? []).filter(({ phx_ref }) => !refs.has(phx_ref)), ...metas]);
        }
    };
    const remove = (value) => {
        for (const [user, metas] of metasOf(value)) {
            const refs = new Set(metas.map(({ phx_ref }) => phx_ref));
            const left = (users.get(user) ?? []).filter(({ phx_ref }) => !refs.has(phx_ref));
            if (left.length === 0)
                users.delete(user);
            else
                users.set(user, left);
        }
    };
    const emit = () => {
        const list = Array.from(users, ([user_id, metas]) => ({
            user_id,
            status: metas.at(-1)?.status ?? "online",
            online_at: metas[0]?.online_at ?? "",
        }));
        list.sort((a, b) => (a.user_id < b.user_id ? -1 : 1));
        onChange({ users: list, count: counted ?? list.length });
    };
    channel.on("presence_state", (state) => {
        users.clear();
        counted = undefined;
        add(state);
        emit();
    });
    channel.on("presence_diff", (diff) => {
        // The leave of a changed meta comes with its join, so the user stays in its place.
        add(diff["joins"]);
        remove(diff["leaves"]);
        emit();
    });
    channel.on("presence_count", ({ count }) => {
        counted = Number(count);
        emit();
    });
};

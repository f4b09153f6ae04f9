/**
 * A chat room with its state: what a page shows and does in a room, so that an application needs no code for recovery,
 * order, duplicates or lost replies. `useRoom` of `@armoricore/client/react` wraps it.
 *
 * ```ts
 * const chat = openRoom(socket, "chat:room:42", { presence: true, userId })
 * chat.subscribe(() => render(chat.state()))
 * await chat.send("hello")
 * ```
 */
import { trackPresence } from "./PresenceList.ts";
import { RoomMessages } from "./RoomMessages.ts";
import { WritableStore } from "./Store.ts";
import { channel, isErrorReply, request } from "./TypedChannel.ts";
/** In milliseconds. */
const retryDelay = 1000;
const typingInterval = 2000;
const typingTimeout = 4000;
/** Errors after which the same join cannot succeed. */
const finalReasons = new Set(["unauthorized", "unmatched topic", "invalid_payload"]);
/** Errors after which the same message may succeed. */
const temporaryReasons = new Set(["timeout", "unavailable", "rate_limit", "unmatched topic"]);
/** The state before the reply to the join. */
export const initialRoomState = {
    status: "joining",
    messages: [],
    hasOlder: false,
    typing: [],
    present: [],
    presentCount: 0,
    readBy: {},
    unread: 0,
};
export const openRoom = (socket, topic, options = {}) => {
    const { last = 50, presence = false, readUpTo: readBefore, userId } = options;
    const messages = new RoomMessages();
    const store = new WritableStore(initialRoomState);
    const typed = channel(socket, topic, { last, ...(presence ? { presence } : {}) });
    const { raw } = typed;
    const push = (event, payload) => request(raw.push(event, payload));
    let readUpTo = readBefore ?? 0;
    let isFirstJoin = true;
    let typingSince = 0;
    const typingTimers = new Map();
    const show = (change = {}) => {
        const { list } = messages;
        const unread = list.filter(({ delivery, seq, user_id }) => delivery === "sent" && seq > readUpTo && user_id !== userId).length;
        store.update({ ...change, messages: list, unread });
    };
    const setUserTyping = (user, isTyping) => {
        clearTimeout(typingTimers.get(user));
        typingTimers.delete(user);
        // A server that restarts sends no end.
        if (isTyping)
            typingTimers.set(user, setTimeout(() => setUserTyping(user, false), typingTimeout));
        store.update({ typing: [...typingTimers.keys()] });
    };
    typed.onJoin((reply) => {
        // The history before the reply is gone or unknown, so what is shown would have a gap.
        if (!isFirstJoin && !reply.recovered)
            messages.clear();
        for (const message of reply.messages)
            messages.put(message);
        const hasOlder = isFirstJoin || !reply.recovered ? reply.more : store.state().hasOlder;
        if (isFirstJoin && readBefore === undefined)
            readUpTo = messages.list.findLast(({ delivery }) => delivery === "sent")?.seq ?? 0;
        isFirstJoin = false;
        show({ status: "joined", error: undefined, hasOlder });
    });
    typed.onCatchUp((page) => {
        for (const message of page.messages)
            messages.put(message);
        show();
    });
    typed.on("new_message", (message) => {
        // The reply to an own message may come after its broadcast; both stand for the message that is shown already.
        const echo = message.user_id === userId &&
            messages.list.find(({ content, delivery }) => delivery === "sending" && content === message.content);
        if (echo)
            messages.drop(echo.id);
        if (typingTimers.has(message.user_id))
            setUserTyping(message.user_id, false);
        messages.put(message);
        show();
    });
    const onEvent = (event, listener) => typed.onEvent(event, (payload) => {
        listener(payload);
        show();
    });
    onEvent("message_edited", (message) => {
        if (messages.get(String(message["id"])) !== undefined)
            messages.put(message);
    });
    onEvent("message_removed", ({ id }) => messages.remove(String(id)));
    onEvent("reactions", ({ counts, id }) => messages.change(String(id), { reactions: counts }));
    raw.on("read", ({ seq, user_id }) => {
        if (user_id === userId)
            readUpTo = Math.max(readUpTo, Number(seq));
        show({ readBy: { ...store.state().readBy, [String(user_id)]: Number(seq) } });
    });
    raw.on("user_typing", ({ is_typing, user_id }) => setUserTyping(String(user_id), is_typing === true));
    trackPresence(raw, ({ count, users }) => store.update({ present: users, presentCount: count }));
    raw.onError(() => {
        if (store.state().status === "joined")
            store.update({ status: "joining" });
    });
    raw.onClose((payload) => {
        if (store.state().status === "refused")
            return;
        store.update({ status: "closed", ...(isErrorReply(payload) ? { error: payload } : {}) });
    });
    typed.join().catch((error) => {
        if (!isErrorReply(error))
            return;
        const isFinal = finalReasons.has(error.reason);
        store.update({ error, ...(isFinal ? { status: "refused" } : {}) });
        // The client of Phoenix would join again for ever.
        if (isFinal)
            void typed.leave();
    });
    /** Until the server answers with something else than "later". */
    const sendUntilAnswered = async (payload) => {
        for (;;) {
            try {
                return await push("new_message", payload);
            }
            catch (error) {
                const { status } = store.state();
                const isTemporary = isErrorReply(error) && temporaryReasons.has(error.reason);
                if (!isTemporary || status === "closed" || status === "refused")
                    throw error;
                const wait = error["retry_after_ms"];
                await new Promise((resolve) => setTimeout(resolve, typeof wait === "number" ? wait : retryDelay));
            }
        }
    };
    const react = (event) => async (id, emoji) => {
        const { counts, own } = await push(event, { id, emoji });
        messages.change(id, {
            ...(counts === undefined ? {} : { reactions: counts }),
            ...(own === undefined ? {} : { own_reactions: own }),
        });
        show();
    };
    return {
        state: store.state,
        subscribe: store.subscribe,
        send: async (content, extras = {}) => {
            const clientId = crypto.randomUUID();
            const { attachments, ...fields } = extras;
            messages.putLocal({
                ...fields,
                ...(attachments === undefined ? {} : { attachments: attachments.map((media_id) => ({ media_id })) }),
                id: clientId,
                seq: Infinity,
                content,
                user_id: userId ?? "",
                room_id: topic.replace("chat:room:", ""),
                timestamp: new Date().toISOString(),
                delivery: "sending",
            });
            typingSince = 0;
            show();
            try {
                const message = await sendUntilAnswered({ content, client_id: clientId, ...extras });
                messages.drop(clientId);
                messages.put(message);
                show();
            }
            catch (error) {
                messages.change(clientId, { delivery: "failed", ...(isErrorReply(error) ? { error } : {}) });
                show();
                throw error;
            }
        },
        edit: async (id, content) => {
            messages.put(await push("edit_message", { id, content }));
            show();
        },
        remove: async (id) => {
            // A message that was refused exists only here.
            if (messages.get(id)?.delivery === "failed")
                messages.drop(id);
            else {
                await push("delete_message", { id });
                messages.remove(id);
            }
            show();
        },
        react: react("react"),
        unreact: react("unreact"),
        markRead: async (seq = messages.list.findLast(({ delivery }) => delivery === "sent")?.seq ?? 0) => {
            if (seq <= readUpTo)
                return;
            readUpTo = seq;
            show();
            await push("mark_read", { seq });
        },
        setTyping: (isTyping) => {
            const now = Date.now();
            if (isTyping ? now - typingSince < typingInterval : typingSince === 0)
                return;
            typingSince = isTyping ? now : 0;
            raw.push(isTyping ? "typing_start" : "typing_stop", {});
        },
        loadOlder: async (limit = 50) => {
            const oldest = messages.list.find(({ delivery }) => delivery === "sent")?.seq;
            if (oldest === undefined || !store.state().hasOlder)
                return false;
            const page = await typed.push("history", { before: oldest, limit });
            for (const message of page.messages)
                messages.put(message);
            show({ hasOlder: page.more });
            return page.messages.length > 0;
        },
        leave: async () => {
            for (const timer of typingTimers.values())
                clearTimeout(timer);
            store.update({ status: "closed" });
            await typed.leave();
        },
    };
};

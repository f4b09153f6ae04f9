/** A page with the hooks, bundled for Chromium: a room, who is present, and one upload. */
import { connect } from "@armoricore/client";
import { useMedia, usePresence, useRoom } from "@armoricore/client/react";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
const query = new URLSearchParams(location.search);
const userId = query.get("user") ?? "";
const { socket } = connect("/socket", { token: () => query.get("token") ?? "" });
const Messages = () => {
    const { edit, hasOlder, loadOlder, messages, react, remove, send, setTyping, status, typing, unread } = useRoom(socket, "chat:room:lobby", { last: 2, presence: true, userId });
    return createElement("section", null, createElement("p", { id: "status" }, `${status} ${unread} unread, typing: ${typing.join()}`), createElement("button", { id: "older", disabled: !hasOlder, onClick: () => void loadOlder() }, "older"), createElement("button", { id: "type", onClick: () => setTyping(true) }, "type"), createElement("button", { id: "send", onClick: () => void send(`from ${userId}`) }, "send"), createElement("ol", { id: "messages" }, messages.map(({ content, delivery, edited_at, id, reactions, user_id }) => createElement("li", { key: id }, createElement("span", null, `${user_id}: ${content} ${delivery}${edited_at === undefined ? "" : " edited"} ${JSON.stringify(reactions ?? {})}`), createElement("button", { className: "edit", onClick: () => void edit(id, `${content}!`) }, "edit"), createElement("button", { className: "react", onClick: () => void react(id, "👍") }, "react"), createElement("button", { className: "remove", onClick: () => void remove(id) }, "remove")))));
};
/** The same room once more: it shares the channel. */
const Count = () => {
    const { messages } = useRoom(socket, "chat:room:lobby");
    return createElement("p", { id: "count" }, String(messages.length));
};
const People = () => {
    const { users } = usePresence(socket, "lobby");
    return createElement("p", { id: "people" }, users.map(({ status, user_id }) => `${user_id} ${status}`).join());
};
const Upload = () => {
    const { percent, status } = useMedia(socket, "m1");
    return createElement("p", { id: "media" }, `${status} ${percent}`);
};
const root = document.querySelector("main");
if (root !== null) {
    createRoot(root).render(createElement(StrictMode, null, createElement(Messages), createElement(Count), createElement(People), createElement(Upload)));
}

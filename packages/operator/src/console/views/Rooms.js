import { emptyState, viewHeader, loading, Polled, unresponsiveNotice, errorNotice, } from "../App.ts";
import { h } from "../VirtualDom.ts";
import { linkTo } from "../Location.ts";
import * as Format from "../Format.ts";
export const view = (app) => {
    let topic = app.params.get("topic") ?? undefined;
    let prefix = app.params.get("prefix") ?? "";
    const rooms = new Polled(app, () => app.connection.call((client) => client.ListRooms({ limit: 200, ...(prefix === "" ? {} : { prefix }) })));
    const sockets = new Polled(app, () => app.connection.call((client) => client.ListSockets({ limit: 200, ...(topic === undefined ? {} : { topic }) })));
    const choose = (selected) => {
        topic = selected;
        app.setParams({ topic }, "push");
        void sockets.refresh();
        app.render();
    };
    const kick = async ({ user_id }, from) => {
        const reason = await app.confirm({
            title: from === undefined ? `Kick ${user_id}?` : `Kick ${user_id} from ${from}?`,
            text: from === undefined
                ? "This closes all sockets of the user. The user may connect again."
                : "The user is removed from the room. The client does not rejoin automatically.",
            confirm: "Kick",
            dangerous: true,
            reasonLabel: "Reason, sent to the user",
        });
        if (reason === undefined)
            return;
        await app.perform(from === undefined ? `${user_id} was kicked` : `${user_id} was kicked from ${from}`, () => app.connection.call((client) => client.Kick({ user_id, reason, ...(from === undefined ? {} : { topic: from }) })));
        void sockets.refresh();
        void rooms.refresh();
    };
    const ban = async ({ user_id }) => {
        const reason = await app.confirm({
            title: `Ban ${user_id}?`,
            text: "This revokes all current tokens of the user and closes the user's sockets. Your backend must not issue new tokens to this user.",
            confirm: "Ban",
            dangerous: true,
            reasonLabel: "Reason, for the audit log",
        });
        if (reason === undefined)
            return;
        await app.perform(`${user_id} was banned`, () => app.connection.call((client) => client.Ban({ user_id, reason })));
        void sockets.refresh();
    };
    const room = ({ members, topic: name }) => h("li", { key: name }, h("button", {
        type: "button",
        class: "room",
        "data-row": "",
        "aria-pressed": name === topic ? "true" : "false",
        onClick: () => choose(name === topic ? undefined : name),
    }, h("span", { class: "room-name" }, name), h("span", { class: "count", "aria-label": `${members} members` }, Format.number(members))));
    const socket = (one) => h("li", { class: "socket", key: one.socket_id, "data-row": "", tabindex: "0", "aria-label": `Socket of ${one.user_id}` }, h("div", {}, h("a", { href: linkTo("users", { id: one.user_id }) }, h("b", {}, one.user_id)), h("p", { class: "soft" }, `${one.address} · since ${Format.ago(one.connected_at).replace(" ago", "")} · ${one.topics.length} ${one.topics.length === 1 ? "topic" : "topics"}`)), h("div", { class: "row-acts" }, topic === undefined
        ? null
        : h("button", { type: "button", onClick: () => void kick(one, topic) }, "Kick from room"), h("button", { type: "button", onClick: () => void kick(one, undefined) }, "Kick"), h("button", { type: "button", class: "quiet bad", onClick: () => void ban(one) }, "Ban")));
    const socketList = () => {
        const page = sockets.value;
        return h("section", { class: "card", "aria-labelledby": "people" }, h("h2", { id: "people" }, topic === undefined ? "All sockets" : `In ${topic}`), page === undefined
            ? loading
            : page.sockets.length === 0
                ? h("p", { class: "soft" }, "No user is connected.")
                : h("ul", { class: "plain" }, page.sockets.map(socket)), page?.truncated === true ? h("p", { class: "soft" }, `Only the first ${page.sockets.length} are shown.`) : null);
    };
    return {
        dispose: () => {
            rooms.stop();
            sockets.stop();
        },
        render: () => [
            viewHeader("Rooms", "Connected users on all nodes.", h("input", {
                type: "search",
                class: "search",
                placeholder: "chat:room:",
                value: prefix,
                "aria-label": "Filter rooms by prefix",
                onInput: (event) => {
                    if (!(event.target instanceof HTMLInputElement))
                        return;
                    prefix = event.target.value.trim();
                    app.setParams({ prefix });
                    void rooms.refresh();
                },
            })),
            errorNotice(rooms.failure ?? sockets.failure),
            unresponsiveNotice(rooms.value?.unresponsive ?? []),
            rooms.value === undefined
                ? loading
                : h("div", { class: "split" }, rooms.value.rooms.length === 0
                    ? emptyState("No rooms", "No user has joined a topic.")
                    : h("ul", { class: "list rooms", "aria-label": "Rooms" }, rooms.value.rooms.map(room)), socketList()),
        ],
    };
};

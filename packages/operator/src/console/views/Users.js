import { badge, copyButton, emptyState, errorNotice, loading, Polled, unresponsiveNotice, viewHeader, } from "../App.ts";
import * as Format from "../Format.ts";
import { linkTo } from "../Location.ts";
import { userEvents } from "../UserEvents.ts";
import { h } from "../VirtualDom.ts";
const badgeKinds = { sent: "good", failed: "bad", pending: "warn" };
export const view = (app) => {
    let id = app.params.get("id") ?? "";
    let text = id;
    const poll = (userId) => new Polled(app, () => app.connection.call((client) => client.GetUser({ user_id: userId })));
    let user = id === "" ? undefined : poll(id);
    const open = () => {
        if (text === id)
            return;
        id = text;
        user?.stop();
        user = id === "" ? undefined : poll(id);
        app.setParams({ id }, "push");
        app.render();
    };
    const socketRow = (one) => h("li", { class: "event-row", key: one.socket_id }, h("b", {}, one.address), h("span", { class: "soft" }, `since ${Format.moment(one.connected_at)} on ${one.node}`), h("div", { class: "copies" }, one.topics.map((topic) => h("a", { class: "copy", href: linkTo("rooms", { topic }) }, topic))));
    const jobRow = (job) => h("li", { class: "event-row", key: `${job.kind} ${job.media_id}` }, h("a", { href: linkTo("media", { id: job.media_id }) }, h("code", {}, job.media_id)), h("span", { class: "soft" }, `${job.kind === "media" ? "" : "captions · "}${job.status} · ${Format.ago(job.updated_at)}`));
    const notificationRow = (one) => h("li", { class: "event-row", key: one.notification_id }, h("b", {}, one.title), badge(badgeKinds[one.status] ?? "calm", one.status), h("span", { class: "soft" }, `${one.notification_type} · ${Format.moment(one.requested_at)}`), one.error === undefined ? null : h("p", { class: "wrong" }, one.error), h("div", { class: "copies" }, one.deliveries.map(({ channel, provider, reason, status }) => h("span", { class: "soft" }, [channel, provider, status, reason].filter((part) => part !== undefined).join(" · "))), copyButton(app, "notification", one.notification_id)));
    const section = (title, items, none, row) => h("section", { class: "card", "aria-label": title }, h("h2", {}, title), items.length === 0 ? h("p", { class: "soft" }, none) : h("ul", { class: "plain" }, items.map(row)));
    const shown = ({ events, jobs, notifications, sockets, unresponsive }) => [
        unresponsiveNotice(unresponsive),
        h("div", { class: "user-parts" }, section("Sockets", sockets, "The user is not connected.", socketRow), section("Media", jobs, "No media of this user is among the newest.", jobRow), section("Notifications", notifications, "No notification is in the user's newest events.", notificationRow), h("section", { class: "card", "aria-label": "Events" }, h("h2", {}, "Events"), userEvents(app, events, "The user was sent no events."))),
    ];
    return {
        dispose: () => user?.stop(),
        render: () => [
            viewHeader("Users", "Sockets, media, notifications and events of one user.", h("form", {
                class: "tools",
                onSubmit: (event) => {
                    event.preventDefault();
                    open();
                },
            }, h("input", {
                type: "search",
                class: "search",
                placeholder: "User id",
                "aria-label": "User id",
                value: text,
                onInput: (event) => {
                    if (event.target instanceof HTMLInputElement)
                        text = event.target.value.trim();
                },
            }), h("button", { type: "submit" }, "Show"))),
            errorNotice(user?.failure),
            user === undefined
                ? emptyState("No user selected", "Enter a user id, or follow the link of a user in Jobs, Media or Rooms.")
                : user.value === undefined
                    ? user.failure === undefined
                        ? loading
                        : null
                    : shown(user.value),
        ],
    };
};

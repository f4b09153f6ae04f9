import { h } from "./VirtualDom.ts";
import * as Format from "./Format.ts";
import { focusView } from "./Keyboard.ts";
import { logo } from "./SignIn.ts";
import * as Theme from "./Theme.ts";
/** How long before its expiry the session shows a warning. */
const expiryWarningMillis = 5 * 60_000;
const navigation = ({ current, views }) => h("nav", { "aria-label": "Views" }, views.map(([id, title], at) => h("a", { href: `#${id}`, key: id, "aria-current": id === current ? "page" : undefined }, h("span", {}, title), h("kbd", { "aria-hidden": "true" }, String((at + 1) % 10)))));
const operatorStatus = ({ expiresAt, userId, version }) => {
    const left = expiresAt - Date.now();
    const isSoon = left < expiryWarningMillis;
    return h("span", {
        class: isSoon ? "who soon" : "who",
        title: `Signed in as ${userId} until ${Format.moment(expiresAt)}; version ${version}`,
    }, isSoon ? `${userId} · ${Format.duration(Math.max(0, left))} left` : userId);
};
export const layout = (props) => h("div", { class: "shell" }, h("a", { class: "skip", href: "#view", onClick: (event) => (event.preventDefault(), focusView()) }, "Skip to the view"), h("header", { class: "bar" }, h("div", { class: "brand" }, logo(), h("span", {}, "Armoricore")), navigation(props), h("div", { class: "bar-tools" }, h("button", {
    type: "button",
    class: "quiet",
    onClick: props.toggleTheme,
    "aria-label": `Colours: ${Theme.current()}; change`,
}, `Colours: ${Theme.current()}`), h("button", { type: "button", class: "quiet", onClick: props.help, title: "Keyboard shortcuts" }, "Keys"), operatorStatus(props.operator), h("button", { type: "button", class: "quiet", onClick: props.signOut }, "Sign out"))), 
// The toasts come before the view: screen readers must keep the same live region when the view changes.
h("div", { class: "toasts", role: "status", "aria-live": "polite" }, props.toasts.map(({ id, kind, text }) => h("p", { class: `toast ${kind}`, key: id }, text))), h("main", { id: "view", tabindex: "-1", key: props.current }, props.view), props.dialog);

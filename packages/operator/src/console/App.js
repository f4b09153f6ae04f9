/**
 * The shared parts of every view: the connection, scheduled rendering, toasts, dialogs, actions that report their
 * result, and small components.
 */
import { h } from "./VirtualDom.ts";
import { CallError } from "./Connection.ts";
/** The parameter, if it is one of the values. */
export const choiceParam = (app, name, values) => values.find((value) => value === app.params.get(name));
/** `all` stands for no filter and is left out of the URL. */
export const unlessAll = (value) => (value === "all" ? undefined : value);
/**
 * Loads a value immediately, and again after each interval, until `stop`. After a failure the last good value stays
 * visible, together with the error.
 */
export class Polled {
    value;
    failure;
    #timer;
    #stopped = false;
    /** Number of the newest load. Loads may overtake each other; only the newest one counts. */
    #latestLoad = 0;
    #app;
    #load;
    #everyMillis;
    constructor(app, load, everyMillis = 4_000) {
        this.#app = app;
        this.#load = load;
        this.#everyMillis = everyMillis;
        void this.refresh();
    }
    refresh = async () => {
        clearTimeout(this.#timer);
        const load = ++this.#latestLoad;
        try {
            const loaded = await this.#load();
            if (load !== this.#latestLoad)
                return;
            this.value = loaded;
            this.failure = undefined;
        }
        catch (error) {
            if (this.#stopped || load !== this.#latestLoad)
                return;
            if (error instanceof CallError && error.isAccessDenied)
                return this.#app.signOut(error.message);
            this.failure = error instanceof Error ? error.message : String(error);
        }
        if (this.#stopped)
            return;
        this.#app.render();
        clearTimeout(this.#timer);
        this.#timer = setTimeout(this.refresh, this.#everyMillis);
    };
    stop() {
        this.#stopped = true;
        clearTimeout(this.#timer);
    }
}
/** The header of a view: title, purpose and tools. */
export const viewHeader = (title, about, ...tools) => h("header", { class: "view-head" }, h("div", {}, h("h1", {}, title), h("p", { class: "about" }, about)), h("div", { class: "tools" }, tools));
export const errorNotice = (failure) => failure === undefined ? null : h("p", { class: "notice bad", role: "alert" }, failure);
export const emptyState = (title, text) => h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text));
export const loading = h("p", { class: "loading", role: "status" }, "Loading …");
/** Copies a text on click, for example a trace id. */
export const copyButton = (app, label, text) => text === undefined
    ? null
    : h("button", {
        class: "copy",
        type: "button",
        title: `Copy ${label} ${text}`,
        onClick: () => {
            navigator.clipboard.writeText(text).then(() => app.showToast("good", `Copied ${label} ${text}`), () => app.showToast("bad", `The browser denied access to the clipboard. Copy it by hand: ${text}`));
        },
    }, h("span", { class: "copy-label" }, label), h("code", {}, text.length > 12 ? `${text.slice(0, 8)}…` : text));
/** A group of buttons; exactly one is selected. */
export const segmentedControl = (label, options, selected, onChoose) => h("div", { class: "choice", role: "group", "aria-label": label }, options.map(([value, text]) => h("button", {
    type: "button",
    key: value,
    "aria-pressed": value === selected ? "true" : "false",
    onClick: () => onChoose(value),
}, text)));
export const badge = (kind, text) => h("span", { class: `pill ${kind}` }, text);
export const unresponsiveNotice = (unresponsive) => unresponsive.length === 0
    ? null
    : h("p", { class: "notice bad" }, `No response from ${unresponsive.join(", ")}. This list lacks their entries.`);

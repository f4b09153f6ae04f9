import { h } from "./VirtualDom.ts";
const showModal = (element) => {
    if (!(element instanceof HTMLDialogElement))
        return;
    const opener = document.activeElement;
    queueMicrotask(() => element.isConnected && element.showModal());
    element.addEventListener("gone", () => {
        // The row that opened the dialog may have been removed. Then the view gets the focus, not the top of the page.
        const back = opener instanceof HTMLElement && opener.isConnected && opener !== document.body ? opener : undefined;
        const target = back ?? document.querySelector("#view");
        if (target instanceof HTMLElement)
            target.focus();
    });
};
/** Call it after the rendering that removed the dialog. */
export const restoreFocus = (dialog) => {
    dialog?.dispatchEvent(new Event("gone"));
};
export const confirmDialog = ({ confirm, dangerous, reasonLabel, text, title }, onResult) => h("dialog", {
    key: title,
    ref: showModal,
    "aria-labelledby": "dialog-title",
    onCancel: (event) => (event.preventDefault(), onResult(undefined)),
}, h("form", {
    onSubmit: (event) => {
        event.preventDefault();
        const field = document.querySelector("#dialog-reason");
        onResult(field instanceof HTMLInputElement ? field.value.trim() : "");
    },
}, h("h2", { id: "dialog-title" }, title), h("p", {}, text), reasonLabel === undefined
    ? null
    : [
        h("label", { for: "dialog-reason" }, reasonLabel),
        h("input", { id: "dialog-reason", maxlength: 200, autocomplete: "off" }),
    ], h("div", { class: "acts" }, h("button", { type: "submit", class: dangerous ? "danger" : "primary" }, confirm), h("button", { type: "button", onClick: () => onResult(undefined) }, "Go back"))));
const shortcuts = [
    ["1 – 7", "go to a view"],
    ["j, k", "next or previous row"],
    ["Enter", "open the focused row"],
    ["/", "search"],
    ["t", "change the theme: light, dark or system"],
    ["?", "show the keyboard shortcuts"],
    ["Esc", "close the dialog or leave the field"],
];
export const helpDialog = (close) => h("dialog", {
    key: "help",
    ref: showModal,
    "aria-labelledby": "help-title",
    onCancel: (event) => (event.preventDefault(), close()),
}, h("h2", { id: "help-title" }, "Keys"), h("dl", { class: "keys" }, shortcuts.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])), h("div", { class: "acts" }, h("button", { type: "button", class: "primary", onClick: close }, "Close")));

/** The keyboard shortcuts of the console. Text fields and open dialogs receive their keys unchanged. */
export const focusView = () => {
    const element = document.querySelector("#view");
    if (element instanceof HTMLElement)
        element.focus();
};
const moveFocus = (by) => {
    const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row instanceof HTMLElement);
    const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
    const next = rows[at === -1 ? (by === 1 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
};
const isField = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
export const bindKeys = ({ selectView, toggleTheme, help, isEnabled }) => document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (!isEnabled() || event.ctrlKey || event.metaKey || event.altKey)
        return;
    // Checkboxes take no text, so shortcuts work there.
    if (isField(target) && !(target instanceof HTMLInputElement && target.type === "checkbox")) {
        if (event.key === "Escape")
            target.blur();
        return;
    }
    // 0 is the tenth view.
    if (/^[0-9]$/.test(event.key) && selectView(event.key === "0" ? 10 : Number(event.key)))
        return;
    if (event.key === "j")
        moveFocus(1);
    else if (event.key === "k")
        moveFocus(-1);
    else if (event.key === "t")
        toggleTheme();
    else if (event.key === "?")
        help();
    else if (event.key === "/") {
        const field = document.querySelector(".search");
        if (!(field instanceof HTMLInputElement))
            return;
        event.preventDefault();
        field.focus();
    }
});

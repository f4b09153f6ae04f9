import { h } from "../VirtualDom.ts";
const fields = [
    ["reason", "All reasons", (page) => page.reasons],
    ["type", "All types", (page) => page.types],
    ["service", "All services", (page) => page.services],
];
const names = ["reason", "type", "service", "cause", "query"];
/** How long the search waits for the next key. */
const typingPauseMillis = 200;
export const makeFilters = (app, onChange) => {
    const fromUrl = names.flatMap((name) => {
        const value = app.params.get(name);
        return value === null ? [] : [[name, value]];
    });
    let selected = Object.fromEntries(fromUrl);
    let typing;
    const change = (next) => {
        selected = next;
        app.setParams({
            reason: undefined,
            type: undefined,
            service: undefined,
            cause: undefined,
            query: undefined,
            ...next,
        });
        onChange();
    };
    const choose = (name, value) => {
        const { [name]: _previous, ...others } = selected;
        change(value === "" ? others : { ...others, [name]: value });
    };
    return {
        selected: () => selected,
        isActive: () => Object.keys(selected).length > 0,
        describe: () => {
            const parts = names.flatMap((name) => selected[name] === undefined ? [] : [name === "cause" ? "of one cause" : `${name} ${selected[name]}`]);
            return parts.length === 0 ? "" : ` (only ${parts.join(", ")})`;
        },
        choose,
        clear: () => change({}),
        render: (page) => [
            fields.map(([field, all, read]) => {
                const chosen = selected[field];
                const values = new Set([...(page === undefined ? [] : read(page)), ...(chosen === undefined ? [] : [chosen])]);
                return h("select", {
                    "aria-label": `Filter by ${field}`,
                    value: chosen ?? "",
                    onChange: (event) => event.target instanceof HTMLSelectElement && choose(field, event.target.value),
                }, h("option", { value: "", key: "" }, all), [...values]
                    .sort()
                    .map((value) => h("option", { value, key: `=${value}`, selected: value === chosen }, value)));
            }),
            h("input", {
                type: "search",
                class: "search",
                placeholder: "Id, user, message …",
                "aria-label": "Search dead letters",
                value: selected.query ?? "",
                onInput: (event) => {
                    if (!(event.target instanceof HTMLInputElement))
                        return;
                    const text = event.target.value.trim();
                    clearTimeout(typing);
                    typing = setTimeout(() => choose("query", text), typingPauseMillis);
                },
            }),
        ],
    };
};

export const current = () => {
    const [view = "", query = ""] = location.hash.slice(1).split(/\?(.*)/s);
    return { view, params: new URLSearchParams(query) };
};
/** The link to a view. Parameters that are undefined or empty are left out. */
export const linkTo = (view, params = {}) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params))
        if (value !== undefined && value !== "")
            query.set(name, value);
    const text = query.toString();
    return `#${view}${text === "" ? "" : `?${text}`}`;
};
/** `push` adds an entry to the browser's history, so that Back returns to the place before. */
export const change = (changes, mode) => {
    const { params, view } = current();
    const link = linkTo(view, { ...Object.fromEntries(params), ...changes });
    if (link === location.hash)
        return;
    if (mode === "push")
        history.pushState(null, "", link);
    else
        history.replaceState(null, "", link);
};

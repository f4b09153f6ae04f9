/**
 * A minimal virtual DOM. `h` describes elements; `patch` changes only the parts of the document that differ, so that
 * focus, selection and scroll positions survive.
 */
/**
 * An absent child becomes an empty text node, so that its siblings keep their positions. Otherwise a removed button
 * could make its neighbour become another button while the user presses it.
 */
const flatten = (children) => children.flatMap((child) => {
    if (child === null || child === undefined || child === false)
        return [""];
    if (isList(child))
        return flatten(child);
    return [typeof child === "number" ? String(child) : child];
});
const isList = (child) => Array.isArray(child);
/**
 * `on…` props add event listeners, `ref` is called with the new element, and `value`, `checked`, `selected` and `open`
 * are set as DOM properties.
 */
export const h = (tag, props = {}, ...children) => {
    const { key, ...rest } = props;
    return { tag, props: rest, children: flatten(children), key: key === undefined ? undefined : String(key) };
};
const svgTags = new Set(["svg", "path", "line", "circle", "g", "use", "title", "rect"]);
const domProperties = new Set(["value", "checked", "selected", "open"]);
/** The description from which each node was rendered, for the next patch. */
const vnodes = new WeakMap();
const listen = (element, name, now, before) => {
    if (now === before)
        return;
    const event = name.slice(2).toLowerCase();
    if (isListener(before))
        element.removeEventListener(event, before);
    if (isListener(now))
        element.addEventListener(event, now);
};
const isListener = (value) => typeof value === "function";
const setProp = (element, name, now, before) => {
    if (name === "ref")
        return;
    if (name.startsWith("on"))
        return listen(element, name, now, before);
    if (domProperties.has(name)) {
        // Input of the user wins over the description, unless the description changed.
        if (now !== before && Reflect.get(element, name) !== now)
            Reflect.set(element, name, now);
        return;
    }
    if (now === before)
        return;
    if (now === undefined || now === null || now === false)
        element.removeAttribute(name);
    else
        element.setAttribute(name, now === true ? "" : String(now));
};
const createNode = (wanted, inSvg) => {
    if (typeof wanted === "string")
        return document.createTextNode(wanted);
    const isSvg = wanted.tag === "svg" || (inSvg && svgTags.has(wanted.tag));
    const element = isSvg
        ? document.createElementNS("http://www.w3.org/2000/svg", wanted.tag)
        : document.createElement(wanted.tag);
    for (const child of wanted.children)
        element.append(createNode(child, isSvg));
    // Props come after the children: a select can only take a value once its options exist.
    for (const [name, value] of Object.entries(wanted.props))
        setProp(element, name, value, undefined);
    vnodes.set(element, wanted);
    const { ref } = wanted.props;
    if (typeof ref === "function")
        ref(element);
    return element;
};
const isSameNode = (node, wanted) => {
    if (typeof wanted === "string")
        return node instanceof Text;
    const was = vnodes.get(node);
    return was !== undefined && was.tag === wanted.tag && was.key === wanted.key;
};
const patchNode = (node, wanted) => {
    if (typeof wanted === "string") {
        if (node.nodeValue !== wanted)
            node.nodeValue = wanted;
        return;
    }
    const before = vnodes.get(node);
    if (before === wanted || !(node instanceof Element))
        return;
    const props = before?.props ?? {};
    patchChildren(node, wanted.children);
    for (const name of Object.keys(props)) {
        if (!(name in wanted.props))
            setProp(node, name, undefined, props[name]);
    }
    for (const [name, value] of Object.entries(wanted.props))
        setProp(node, name, value, props[name]);
    vnodes.set(node, wanted);
};
const patchChildren = (parent, wanted) => {
    const keyed = new Map();
    const wantedKeys = new Set(wanted.map((child) => (typeof child === "string" ? undefined : child.key)));
    const unwanted = [];
    for (const node of parent.childNodes) {
        const key = vnodes.get(node)?.key;
        if (key === undefined)
            continue;
        if (wantedKeys.has(key))
            keyed.set(key, node);
        else
            unwanted.push(node);
    }
    // First, because otherwise all their later siblings would move, and an element that moves loses the focus.
    for (const node of unwanted)
        node.remove();
    let at = parent.firstChild;
    for (const child of wanted) {
        const key = typeof child === "string" ? undefined : child.key;
        const known = key === undefined ? at : keyed.get(key);
        if (known !== null && known !== undefined && isSameNode(known, child)) {
            if (known === at)
                at = at.nextSibling;
            else
                parent.insertBefore(known, at);
            patchNode(known, child);
        }
        else {
            parent.insertBefore(createNode(child, parent instanceof SVGElement), at);
            // Without keys the position identifies a child: remove the old node at this position.
            if (key === undefined && at !== null && vnodes.get(at)?.key === undefined) {
                const next = at.nextSibling;
                at.remove();
                at = next;
            }
        }
    }
    while (at !== null) {
        const next = at.nextSibling;
        at.remove();
        at = next;
    }
};
export const patch = (root, wanted) => patchChildren(root, flatten(wanted));

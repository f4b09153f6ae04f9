/** A small time-series chart with one or two lines. A tooltip shows the values under the pointer. */
import { h } from "./VirtualDom.ts";
const [width, height] = [600, 150];
const [top, bottom] = [8, 4];
/** The largest value, rounded up to 1, 2, 2.5 or 5 times a power of ten. */
const axisMaximum = (largest) => {
    if (largest <= 0)
        return 1;
    const power = 10 ** Math.floor(Math.log10(largest));
    return ([1, 2, 2.5, 5, 10].find((step) => step * power >= largest) ?? 10) * power;
};
/** The path of a line. Gaps in the values are skipped. */
const linePath = (values, x, y) => {
    let path = "";
    let isDown = false;
    values.forEach((value, at) => {
        if (value === null)
            return;
        path += `${isDown ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
        // A single point appears as a dot.
        if (!isDown)
            path += "h0";
        isDown = true;
    });
    return path;
};
const latest = ({ values }) => values.findLast((value) => value !== null) ?? null;
export const chart = ({ lines, formatValue, times, title }) => {
    const largest = Math.max(0, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
    const ceiling = axisMaximum(largest);
    const [from, to] = [times[0] ?? 0, times.at(-1) ?? 1];
    // The axis covers at least 30 s, so that the first points do not jump.
    const spanMillis = Math.max(30_000, to - from);
    const x = (at) => width - ((to - (times[at] ?? to)) / spanMillis) * width;
    const y = (value) => top + (1 - value / ceiling) * (height - top - bottom);
    const [first] = lines;
    const description = lines.map((line) => `${line.name} ${formatValue(latest(line) ?? 0)}`).join(", ");
    const area = linePath(first.values, x, y);
    const startX = x(Math.max(0, first.values.findIndex((value) => value !== null)));
    const endX = x(first.values.findLastIndex((value) => value !== null));
    const showTooltip = (event) => {
        const box = event.currentTarget;
        if (!(box instanceof HTMLElement) || !(event instanceof PointerEvent))
            return;
        const frame = box.getBoundingClientRect();
        const pointerX = ((event.clientX - frame.left) / frame.width) * width;
        let nearest = 0;
        times.forEach((_, at) => {
            if (Math.abs(x(at) - pointerX) < Math.abs(x(nearest) - pointerX))
                nearest = at;
        });
        const text = lines.map(({ name, values }) => `${name} ${values[nearest] == null ? "–" : formatValue(values[nearest] ?? 0)}`);
        box.style.setProperty("--at", `${(x(nearest) / width) * 100}%`);
        box.dataset["tip"] = `${new Date(times[nearest] ?? 0).toLocaleTimeString("en-GB")}  ${text.join(" · ")}`;
        box.classList.add("pointed");
    };
    const hideTooltip = (event) => {
        if (event.currentTarget instanceof HTMLElement)
            event.currentTarget.classList.remove("pointed");
    };
    return h("figure", { class: "chart", key: title }, h("figcaption", {}, h("span", { class: "chart-title" }, title), h("span", { class: "legend" }, lines.map((line, index) => h("span", { class: `key key-${index}` }, lines.length > 1 ? `${line.name} ` : "", h("b", {}, latest(line) === null ? "–" : formatValue(latest(line) ?? 0)))))), h("div", { class: "plot", onPointermove: showTooltip, onPointerleave: hideTooltip }, h("span", { class: "ceiling", "aria-hidden": "true" }, formatValue(ceiling)), h("svg", {
        viewBox: `0 0 ${width} ${height}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `${title}: ${description}; maximum ${formatValue(largest)}`,
    }, h("line", { class: "grid", x1: 0, x2: width, y1: y(ceiling), y2: y(ceiling) }), h("line", { class: "grid", x1: 0, x2: width, y1: y(ceiling / 2), y2: y(ceiling / 2) }), h("line", { class: "grid", x1: 0, x2: width, y1: y(0), y2: y(0) }), area === "" ? null : h("path", { class: "area", d: `${area}L${endX} ${y(0)}L${startX} ${y(0)}Z` }), lines.map(({ values }, index) => h("path", { class: `line line-${index}`, d: linePath(values, x, y) })))));
};

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
export const parse = (text) => {
    const families = new Map();
    const seen = new Set();
    let current = "";
    if (!text.endsWith("\n"))
        throw new Error("the last line has no newline");
    for (const line of text.slice(0, -1).split("\n")) {
        const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
        if (comment !== null) {
            const [, keyword = "", name = "", value = ""] = comment;
            if (keyword === "HELP") {
                if (families.has(name))
                    throw new Error(`${name} occurs twice`);
                families.set(name, { help: value, type: "", samples: [] });
                current = name;
            }
            else {
                const family = families.get(name);
                if (family === undefined || name !== current || family.type !== "")
                    throw new Error(`TYPE out of place: ${line}`);
                if (!["counter", "gauge", "histogram"].includes(value))
                    throw new Error(`unknown type: ${line}`);
                family.type = value;
            }
            continue;
        }
        const [, name = "", inner, value = ""] = sampleLine.exec(line) ?? [];
        const family = families.get(current);
        if (family === undefined || family.type === "")
            throw new Error(`sample without a family: ${line}`);
        const ends = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
        if (!ends.some((end) => name === current + end))
            throw new Error(`sample of another family than ${current}: ${line}`);
        const labels = new Map();
        label.lastIndex = 0;
        const pairs = inner ?? "";
        while (label.lastIndex < pairs.length) {
            const [, key, labelValue = ""] = label.exec(pairs) ?? [];
            if (key === undefined || labels.has(key))
                throw new Error(`invalid labels: ${line}`);
            labels.set(key, labelValue);
        }
        const series = `${name}{${inner ?? ""}}`;
        if (seen.has(series))
            throw new Error(`duplicate series: ${series}`);
        seen.add(series);
        const number = value.endsWith("Inf") ? Number(value.replace("Inf", "Infinity")) : Number(value);
        if (family.type !== "gauge" && number < 0)
            throw new Error(`negative value: ${line}`);
        family.samples.push({ name, labels, value: number });
    }
    return families;
};

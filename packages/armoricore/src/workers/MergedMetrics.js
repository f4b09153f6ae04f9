export const merge = (pages) => {
    const families = new Map();
    for (const { process, text } of pages) {
        let comments = [];
        let family;
        for (const line of text.split("\n")) {
            if (line === "")
                continue;
            if (line.startsWith("#")) {
                if (family !== undefined)
                    comments = [];
                family = undefined;
                comments.push(line);
                continue;
            }
            if (family === undefined) {
                const name = comments[0]?.split(" ")[2] ?? line.split(/[ {]/, 1)[0] ?? "";
                family = families.get(name) ?? { comments, samples: [] };
                families.set(name, family);
            }
            family.samples.push(addProcessLabel(line, process));
        }
    }
    return Array.from(families.values(), ({ comments, samples }) => [...comments, ...samples].join("\n") + "\n").join("\n");
};
/** `name{labels} value` or `name value`. */
const addProcessLabel = (sample, process) => {
    const name = /^[A-Za-z_:][A-Za-z0-9_:]*/.exec(sample)?.[0] ?? "";
    const rest = sample.slice(name.length);
    const label = `process="${process}"`;
    return rest.startsWith("{") ? `${name}{${label},${rest.slice(1)}` : `${name}{${label}}${rest}`;
};

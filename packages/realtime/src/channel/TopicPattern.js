/** Topic patterns of channels: `chat:room:{id}` matches `chat:room:7` with the parameters `{id: "7"}`. */
import { Result, Schema } from "effect";
export const compile = (pattern, params) => {
    const parts = pattern.split(/\{([A-Za-z_]+)\}/);
    const names = parts.filter((_, index) => index % 2 === 1);
    const expression = new RegExp(`^${parts.map((part, index) => (index % 2 === 1 ? (index === parts.length - 2 && parts.at(-1) === "" ? "(.+)" : "([^:]+)") : part.replace(/[^A-Za-z0-9:_-]/g, "\\$&"))).join("")}$`);
    const decoders = names.map((name) => {
        const codec = params[name];
        if (codec === undefined)
            throw new Error(`the topic pattern ${pattern} names the parameter ${name}, but \`params\` has no Schema for it`);
        return [name, Schema.decodeUnknownResult(codec)];
    });
    return {
        match: (topic) => {
            const matched = expression.exec(topic);
            if (matched === null)
                return undefined;
            const values = {};
            for (const [index, [name, decode]] of decoders.entries()) {
                const decoded = decode(matched[index + 1]);
                if (Result.isFailure(decoded))
                    return undefined;
                values[name] = decoded.success;
            }
            return values;
        },
        topic: (values) => parts.map((part, index) => (index % 2 === 1 ? (values[part] ?? "") : part)).join(""),
    };
};

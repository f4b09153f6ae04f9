/** `size` in bytes. An invalid range is ignored: the whole object is requested. */
export const parseRange = (header, size) => {
    const match = /^bytes=([0-9]*)-([0-9]*)$/i.exec(header?.replaceAll(" ", "") ?? "");
    const [, first = "", last = ""] = match ?? [];
    if (match === null || (first === "" && last === ""))
        return "whole";
    if (first === "") {
        const count = Math.min(Number(last), size);
        return count === 0 ? "unsatisfiable" : { start: size - count, end: size - 1 };
    }
    const start = Number(first);
    const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
    if (last !== "" && Number(last) < start)
        return "whole";
    return start >= size ? "unsatisfiable" : { start, end };
};

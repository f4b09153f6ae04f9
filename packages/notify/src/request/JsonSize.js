/** Bounds of the size of a value as JSON, without serialising it. */
/** No character needs more bytes: a control character is written as `\\u001f`. */
const maxBytesPerCharacter = 6;
const maxNumberBytes = 25;
/** The JSON of the value has at most this many bytes. The value is valid JSON. */
export const maxBytes = (value) => {
    switch (typeof value) {
        case "string":
            return maxBytesPerCharacter * value.length + 2;
        case "number":
            return maxNumberBytes;
        case "object": {
            let bytes = 4;
            if (Array.isArray(value))
                for (const item of value)
                    bytes += maxBytes(item) + 1;
            else
                for (const [name, item] of Object.entries(value ?? {}))
                    bytes += maxBytes(name) + maxBytes(item) + 2;
            return bytes;
        }
        default:
            return 5;
    }
};

import * as JsonSize from "./JsonSize.ts";
/** The estimated size of one target with its summary. */
const charactersPerTarget = 500;
export const make = ({ maxEntries, maxCharacters }) => {
    // In order of insertion: the oldest entry comes first.
    const documents = new Map();
    let characters = 0;
    const remove = (id) => {
        const known = documents.get(id);
        if (known !== undefined && documents.delete(id))
            characters -= sizeOf(known.value);
    };
    return {
        get: (id) => documents.get(id),
        remove,
        put: (document) => {
            remove(document.key);
            documents.set(document.key, document);
            characters += sizeOf(document.value);
            for (const oldest of documents.keys()) {
                if (documents.size <= maxEntries && characters <= maxCharacters)
                    return;
                remove(oldest);
            }
        },
    };
};
/** Contents are immutable, so each is measured once. */
const contentSizes = new WeakMap();
const contentSize = (content) => {
    const known = contentSizes.get(content);
    if (known !== undefined)
        return known;
    const { attachments = [], data, html = "", text, title } = content;
    const size = title.length + text.length + html.length + JsonSize.maxBytes(data) + JsonSize.maxBytes(attachments);
    contentSizes.set(content, size);
    return size;
};
const sizeOf = ({ content, deliveries }) => contentSize(content) + charactersPerTarget * deliveries.length;

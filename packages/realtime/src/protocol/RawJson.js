/**
 * A JSON object in its encoded form. A payload that another node encoded is copied into the frame as it is, because
 * parsing and encoding it again would cost several times as much as the rest of the broadcast.
 */
export class RawJson {
    /** The text of a JSON object; the caller of the constructor must guarantee that. */
    text;
    constructor(text) {
        this.text = text;
    }
    /** For `JSON.stringify` of a value that contains this object. */
    toJSON() {
        return JSON.parse(this.text);
    }
}

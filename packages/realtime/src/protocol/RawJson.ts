/**
 * A JSON object as the text that it came in. What another node encoded is put into a frame as it is: parsing and encoding
 * it again would cost several times what the rest of a broadcast costs.
 */
export class RawJson {
  /** Of a JSON object; whoever makes one answers for that. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** For everything else that makes JSON. */
  toJSON(): unknown {
    return JSON.parse(this.text)
  }
}

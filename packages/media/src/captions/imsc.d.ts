/** The part of `imsc` that is used; the package has no types, and its main module needs a browser. */
declare module "imsc/src/main/js/doc.js" {
  export interface Node {
    readonly kind: string
    /** Seconds from the start of the document; the end may be infinite. */
    readonly begin?: number
    readonly end?: number
    /** The text of an anonymous span. */
    readonly text?: string
    readonly styleAttrs?: Readonly<Record<string, unknown>>
    readonly contents?: ReadonlyArray<Node>
  }
  export interface ErrorHandler {
    readonly info: (message: string) => boolean
    readonly warn: (message: string) => boolean
    readonly error: (message: string) => boolean
    readonly fatal: (message: string) => boolean
  }
  const doc: {
    readonly fromXML: (xml: string, errors: ErrorHandler) => { readonly body: Node | null } | null
  }
  export default doc
}

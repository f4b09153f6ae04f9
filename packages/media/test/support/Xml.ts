/** A small strict XML reader: elements, attributes, text; throws at the first thing that is not well-formed. */

export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Array<Element>
  text: string
}

const token = /<\?xml[^>]*\?>|<\/([A-Za-z:]+)>|<([A-Za-z:]+)((?:\s+[A-Za-z:_]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y

export const parse = (xml: string): Element => {
  const root: Element = { name: "", attributes: {}, children: [], text: "" }
  const open = [root]
  token.lastIndex = 0
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex
    const found = token.exec(xml)
    if (found === null) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 80)}`)
    const [, closed, opened, attributes = "", empty, text] = found
    const current = open.at(-1) ?? root
    if (closed !== undefined) {
      if (open.length < 2 || current.name !== closed) throw new Error(`</${closed}> closes <${current.name}>`)
      open.pop()
    } else if (opened !== undefined) {
      const pairs = [...attributes.matchAll(/([A-Za-z:_]+)="([^"]*)"/g)].map(
        ([, name = "", value = ""]) => [name, plain(value)] as const,
      )
      if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw new Error(`<${opened}> has one thing twice`)
      const element: Element = { name: opened, attributes: Object.fromEntries(pairs), children: [], text: "" }
      current.children.push(element)
      if (empty !== "/") open.push(element)
    } else if (text !== undefined) current.text += plain(text)
  }
  const [only] = root.children
  if (open.length > 1 || only === undefined || root.children.length > 1) throw new Error("not one element")
  return only
}

export const childrenNamed = (element: Element | undefined, name: string): ReadonlyArray<Element> =>
  element?.children.filter((child) => child.name === name) ?? []

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

const plain = (text: string): string =>
  text.replaceAll(/&([^;]*;?)/g, (_, name: string) => {
    const value = entities[name.slice(0, -1)]
    if (value === undefined) throw new Error(`unknown &${name}`)
    return value
  })

/**
 * The page as a function of what is known: `h` describes elements, `patch` brings the document to that description
 * and touches nothing that is as it should be, so that focus, selection and scrolling stay where they are.
 */

export type Child = Described | string | number | false | null | undefined | ReadonlyArray<Child>

export type Props = Readonly<Record<string, unknown>>

export interface Described {
  readonly tag: string
  readonly props: Props
  readonly children: ReadonlyArray<Described | string>
  /** Tells siblings apart; children of one element have keys all or none. */
  readonly key: string | undefined
}

/**
 * What is not there keeps its place, as an empty text: a button that is left out must not make its neighbour turn into
 * another one while somebody presses it.
 */
const flat = (children: ReadonlyArray<Child>): ReadonlyArray<Described | string> =>
  children.flatMap((child): ReadonlyArray<Described | string> => {
    if (child === null || child === undefined || child === false) return [""]
    if (isList(child)) return flat(child)
    return [typeof child === "number" ? String(child) : child]
  })
const isList = (child: Child): child is ReadonlyArray<Child> => Array.isArray(child)

/** `on…` listens, `ref` is called with the new element, `value` and `checked` are set as properties. */
export const h = (tag: string, props: Props = {}, ...children: ReadonlyArray<Child>): Described => {
  const { key, ...rest } = props
  return { tag, props: rest, children: flat(children), key: key === undefined ? undefined : String(key) }
}

const svgTags = new Set(["svg", "path", "line", "circle", "g", "use", "title", "rect"])
const asProperty = new Set(["value", "checked", "selected", "open"])
/** Names of children, which tell on the next patch whom to keep. */
const described = new WeakMap<Node, Described>()

const listen = (element: Element, name: string, now: unknown, before: unknown): void => {
  if (now === before) return
  const event = name.slice(2).toLowerCase()
  if (isListener(before)) element.removeEventListener(event, before)
  if (isListener(now)) element.addEventListener(event, now)
}
const isListener = (value: unknown): value is EventListener => typeof value === "function"

const setProp = (element: Element, name: string, now: unknown, before: unknown): void => {
  if (name === "ref") return
  if (name.startsWith("on")) return listen(element, name, now, before)
  if (asProperty.has(name)) {
    // What somebody has typed is newer than what was described, unless the description changed.
    if (now !== before && Reflect.get(element, name) !== now) Reflect.set(element, name, now)
    return
  }
  if (now === before) return
  if (now === undefined || now === null || now === false) element.removeAttribute(name)
  else element.setAttribute(name, now === true ? "" : String(now))
}

const make = (wanted: Described | string, inSvg: boolean): Node => {
  if (typeof wanted === "string") return document.createTextNode(wanted)
  const isSvg = wanted.tag === "svg" || (inSvg && svgTags.has(wanted.tag))
  const element = isSvg
    ? document.createElementNS("http://www.w3.org/2000/svg", wanted.tag)
    : document.createElement(wanted.tag)
  for (const child of wanted.children) element.append(make(child, isSvg))
  // After the children: a select knows its options only then.
  for (const [name, value] of Object.entries(wanted.props)) setProp(element, name, value, undefined)
  described.set(element, wanted)
  const { ref } = wanted.props
  if (typeof ref === "function") ref(element)
  return element
}

const fits = (node: Node, wanted: Described | string): boolean => {
  if (typeof wanted === "string") return node instanceof Text
  const was = described.get(node)
  return was !== undefined && was.tag === wanted.tag && was.key === wanted.key
}

const update = (node: Node, wanted: Described | string): void => {
  if (typeof wanted === "string") {
    if (node.nodeValue !== wanted) node.nodeValue = wanted
    return
  }
  const before = described.get(node)
  if (before === wanted || !(node instanceof Element)) return
  const props = before?.props ?? {}
  patchChildren(node, wanted.children)
  for (const name of Object.keys(props)) {
    if (!(name in wanted.props)) setProp(node, name, undefined, props[name])
  }
  for (const [name, value] of Object.entries(wanted.props)) setProp(node, name, value, props[name])
  described.set(node, wanted)
}

const patchChildren = (parent: Element, wanted: ReadonlyArray<Described | string>): void => {
  const keyed = new Map<string, Node>()
  for (const node of parent.childNodes) {
    const key = described.get(node)?.key
    if (key !== undefined) keyed.set(key, node)
  }
  let at: ChildNode | null = parent.firstChild
  for (const child of wanted) {
    const key = typeof child === "string" ? undefined : child.key
    const known = key === undefined ? at : keyed.get(key)
    if (known !== null && known !== undefined && fits(known, child)) {
      if (known === at) at = at.nextSibling
      else parent.insertBefore(known, at)
      update(known, child)
    } else {
      parent.insertBefore(make(child, parent instanceof SVGElement), at)
      // Without keys the same place is the same thing: what stood there goes.
      if (key === undefined && at !== null && described.get(at)?.key === undefined) {
        const next: ChildNode | null = at.nextSibling
        at.remove()
        at = next
      }
    }
  }
  while (at !== null) {
    const next: ChildNode | null = at.nextSibling
    at.remove()
    at = next
  }
}

export const patch = (root: Element, wanted: ReadonlyArray<Child>): void => patchChildren(root, flat(wanted))

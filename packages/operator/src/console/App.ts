/**
 * What every view of the console stands on: the connection, one drawing a frame, toasts, dialogs, and acts that say how
 * they ended.
 */
import { type VChild, h } from "./VirtualDom.ts"
import { CallError, type Connection } from "./Connection.ts"

export interface Toast {
  readonly id: number
  readonly kind: "good" | "bad"
  readonly text: string
}

export interface Confirmation {
  readonly title: string
  readonly text: string
  readonly confirm: string
  readonly dangerous: boolean
  /** Asks for a sentence too, with this label. */
  readonly reasonLabel?: string
}

export interface App {
  readonly connection: Connection
  /** Draws soon. */
  readonly render: () => void
  /** Does it, says how it went; true where it was done. */
  readonly perform: (done: string, work: () => Promise<unknown>) => Promise<boolean>
  /** The reason given, or `""`; undefined where the person thought better of it. */
  readonly confirm: (question: Confirmation) => Promise<string | undefined>
  readonly showToast: (kind: Toast["kind"], text: string) => void
  /** The token does not count any more. */
  readonly signOut: (why: string) => void
  readonly navigate: (view: string) => void
}

export interface View {
  readonly render: () => VChild
  readonly dispose: () => void
}

/** Loads now and every few seconds until stopped. After a failure the last good value stays visible, with the error. */
export class Polled<A> {
  value: A | undefined
  failure: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false
  /** Loads may overtake each other: what was asked last counts. */
  #asked = 0
  readonly #app: App
  readonly #load: () => Promise<A>
  readonly #everyMillis: number

  constructor(app: App, load: () => Promise<A>, everyMillis = 4_000) {
    this.#app = app
    this.#load = load
    this.#everyMillis = everyMillis
    void this.refresh()
  }

  readonly refresh = async (): Promise<void> => {
    clearTimeout(this.#timer)
    const turn = ++this.#asked
    try {
      const loaded = await this.#load()
      if (turn !== this.#asked) return
      this.value = loaded
      this.failure = undefined
    } catch (error) {
      if (this.#stopped || turn !== this.#asked) return
      if (error instanceof CallError && error.isAccessDenied) return this.#app.signOut(error.message)
      this.failure = error instanceof Error ? error.message : String(error)
    }
    if (this.#stopped) return
    this.#app.render()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.refresh, this.#everyMillis)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}

/** The first lines of a view: its name, what it is for, and its tools. */
export const viewHeader = (title: string, about: string, ...tools: ReadonlyArray<VChild>): VChild =>
  h(
    "header",
    { class: "view-head" },
    h("div", {}, h("h1", {}, title), h("p", { class: "about" }, about)),
    h("div", { class: "tools" }, tools),
  )

export const errorNotice = (failure: string | undefined): VChild =>
  failure === undefined ? null : h("p", { class: "notice bad", role: "alert" }, failure)

export const emptyState = (title: string, text: string): VChild =>
  h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text))

export const loading: VChild = h("p", { class: "loading", role: "status" }, "Loading …")

/** Copies a text on click; trace ids are made for that. */
export const copyButton = (app: App, label: string, text: string | undefined): VChild =>
  text === undefined
    ? null
    : h(
        "button",
        {
          class: "copy",
          type: "button",
          title: `Copy ${label} ${text}`,
          onClick: () => {
            navigator.clipboard.writeText(text).then(
              () => app.showToast("good", `Copied ${label} ${text}`),
              () => app.showToast("bad", `This browser does not let pages copy: ${text}`),
            )
          },
        },
        h("span", { class: "copy-label" }, label),
        h("code", {}, text.length > 12 ? `${text.slice(0, 8)}…` : text),
      )

/** Buttons of which one is chosen. */
export const segmentedControl = <A extends string>(
  label: string,
  options: ReadonlyArray<readonly [value: A, text: string]>,
  chosen: A,
  onChoose: (value: A) => void,
): VChild =>
  h(
    "div",
    { class: "choice", role: "group", "aria-label": label },
    options.map(([value, text]) =>
      h(
        "button",
        {
          type: "button",
          key: value,
          "aria-pressed": value === chosen ? "true" : "false",
          onClick: () => onChoose(value),
        },
        text,
      ),
    ),
  )

export const badge = (kind: "good" | "bad" | "warn" | "calm", text: string): VChild =>
  h("span", { class: `pill ${kind}` }, text)

export const unresponsiveNotice = (silent: ReadonlyArray<string>): VChild =>
  silent.length === 0
    ? null
    : h("p", { class: "notice bad" }, `No answer from ${silent.join(", ")}: what they have is missing here.`)

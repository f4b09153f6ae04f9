/**
 * The shared parts of every view: the connection, scheduled rendering, toasts, dialogs, actions that report their
 * result, and small components.
 */
import { type VChild, h } from "./VirtualDom.ts"
import type * as Location from "./Location.ts"
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
  /** Adds a field for a reason, with this label. */
  readonly reasonLabel?: string
}

export interface App {
  readonly connection: Connection
  /** Schedules a rendering for the next animation frame. */
  readonly render: () => void
  /** Runs the action and shows a toast with its result. Resolves to true on success. */
  readonly perform: (done: string, work: () => Promise<unknown>) => Promise<boolean>
  /** Resolves to the reason (`""` if empty), or to undefined if the user closed the dialog. */
  readonly confirm: (question: Confirmation) => Promise<string | undefined>
  readonly showToast: (kind: Toast["kind"], text: string) => void
  /** Signs out, for example after the token expired. */
  readonly signOut: (why: string) => void
  readonly navigate: (view: string) => void
  /** The parameters of the URL when the view was opened. */
  readonly params: URLSearchParams
  /**
   * Records filters and selections in the URL. `push` adds an entry to the browser's history; the default `replace` is
   * for filters.
   */
  readonly setParams: (changes: Location.Params, mode?: "replace" | "push") => void
}

/** The parameter, if it is one of the values. */
export const choiceParam = <A extends string>(app: App, name: string, values: ReadonlyArray<A>): A | undefined =>
  values.find((value) => value === app.params.get(name))

/** `all` stands for no filter and is left out of the URL. */
export const unlessAll = (value: string): string | undefined => (value === "all" ? undefined : value)

export interface View {
  readonly render: () => VChild
  readonly dispose: () => void
}

/**
 * Loads a value immediately, and again after each interval, until `stop`. After a failure the last good value stays
 * visible, together with the error.
 */
export class Polled<A> {
  value: A | undefined
  failure: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false
  /** Number of the newest load. Loads may overtake each other; only the newest one counts. */
  #latestLoad = 0
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
    const load = ++this.#latestLoad
    try {
      const loaded = await this.#load()
      if (load !== this.#latestLoad) return
      this.value = loaded
      this.failure = undefined
    } catch (error) {
      if (this.#stopped || load !== this.#latestLoad) return
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

/** The header of a view: title, purpose and tools. */
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

/** Copies a text on click, for example a trace id. */
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
              () => app.showToast("bad", `The browser denied access to the clipboard. Copy it by hand: ${text}`),
            )
          },
        },
        h("span", { class: "copy-label" }, label),
        h("code", {}, text.length > 12 ? `${text.slice(0, 8)}…` : text),
      )

/** A group of buttons; exactly one is selected. */
export const segmentedControl = <A extends string>(
  label: string,
  options: ReadonlyArray<readonly [value: A, text: string]>,
  selected: A,
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
          "aria-pressed": value === selected ? "true" : "false",
          onClick: () => onChoose(value),
        },
        text,
      ),
    ),
  )

export const badge = (kind: "good" | "bad" | "warn" | "calm", text: string): VChild =>
  h("span", { class: `pill ${kind}` }, text)

export const unresponsiveNotice = (unresponsive: ReadonlyArray<string>): VChild =>
  unresponsive.length === 0
    ? null
    : h("p", { class: "notice bad" }, `No response from ${unresponsive.join(", ")}. This list lacks their entries.`)

/** What stands around every view: the way to the others, who is signed in and until when, what happened lately. */
import type { Toast } from "./App.ts"
import { type Child, h } from "./Dom.ts"
import * as Format from "./Format.ts"
import { focusView } from "./Keyboard.ts"
import { mark } from "./SignIn.ts"
import * as Theme from "./Theme.ts"

export interface Operator {
  readonly userId: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  readonly version: string
}

export interface Frame {
  readonly views: ReadonlyArray<readonly [id: string, title: string]>
  readonly current: string
  readonly operator: Operator
  readonly toasts: ReadonlyArray<Toast>
  readonly view: Child
  readonly dialog: Child
  readonly colours: () => void
  readonly help: () => void
  readonly signOut: () => void
}

/** Before the end of a session there is time to save what one writes. */
const soonMillis = 5 * 60_000

const navigation = ({ current, views }: Frame): Child =>
  h(
    "nav",
    { "aria-label": "Views" },
    views.map(([id, title], at) =>
      h(
        "a",
        { href: `#${id}`, key: id, "aria-current": id === current ? "page" : undefined },
        h("span", {}, title),
        h("kbd", { "aria-hidden": "true" }, String(at + 1)),
      ),
    ),
  )

const who = ({ expiresAt, userId, version }: Operator): Child => {
  const left = expiresAt - Date.now()
  const isSoon = left < soonMillis
  return h(
    "span",
    {
      class: isSoon ? "who soon" : "who",
      title: `Signed in as ${userId} until ${Format.moment(expiresAt)}; version ${version}`,
    },
    isSoon ? `${userId} · ${Format.span(Math.max(0, left))} left` : userId,
  )
}

export const frame = (given: Frame): Child =>
  h(
    "div",
    { class: "shell" },
    h(
      "a",
      { class: "skip", href: "#view", onClick: (event: Event) => (event.preventDefault(), focusView()) },
      "Skip to the view",
    ),
    h(
      "header",
      { class: "bar" },
      h("div", { class: "brand" }, mark(), h("span", {}, "Armoricore")),
      navigation(given),
      h(
        "div",
        { class: "bar-tools" },
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            onClick: given.colours,
            "aria-label": `Colours: ${Theme.current()}; change`,
          },
          `Colours: ${Theme.current()}`,
        ),
        h("button", { type: "button", class: "quiet", onClick: given.help, title: "Keyboard shortcuts" }, "Keys"),
        who(given.operator),
        h("button", { type: "button", class: "quiet", onClick: given.signOut }, "Sign out"),
      ),
    ),
    // Before the view, which comes and goes, so that screen readers keep listening to the same element.
    h(
      "div",
      { class: "toasts", role: "status", "aria-live": "polite" },
      given.toasts.map(({ id, kind, text }) => h("p", { class: `toast ${kind}`, key: id }, text)),
    ),
    h("main", { id: "view", tabindex: "-1", key: given.current }, given.view),
    given.dialog,
  )

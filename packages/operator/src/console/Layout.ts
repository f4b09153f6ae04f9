/** The frame around every view: navigation, session state and toasts. */
import type { Toast } from "./App.ts"
import { type VChild, h } from "./VirtualDom.ts"
import * as Format from "./Format.ts"
import { focusView } from "./Keyboard.ts"
import { logo } from "./SignIn.ts"
import * as Theme from "./Theme.ts"

export interface SignedInOperator {
  readonly userId: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  readonly version: string
}

export interface LayoutProps {
  readonly views: ReadonlyArray<readonly [id: string, title: string]>
  readonly current: string
  readonly operator: SignedInOperator
  readonly toasts: ReadonlyArray<Toast>
  readonly view: VChild
  readonly dialog: VChild
  readonly toggleTheme: () => void
  readonly help: () => void
  readonly signOut: () => void
}

/** How long before its expiry the session shows a warning. */
const expiryWarningMillis = 5 * 60_000

const navigation = ({ current, views }: LayoutProps): VChild =>
  h(
    "nav",
    { "aria-label": "Views" },
    views.map(([id, title], at) =>
      h(
        "a",
        { href: `#${id}`, key: id, "aria-current": id === current ? "page" : undefined },
        h("span", {}, title),
        // The keys are 1 to 9, and 0 for the tenth.
        at < 10 ? h("kbd", { "aria-hidden": "true" }, String((at + 1) % 10)) : null,
      ),
    ),
  )

const operatorStatus = ({ expiresAt, userId, version }: SignedInOperator): VChild => {
  const left = expiresAt - Date.now()
  const isSoon = left < expiryWarningMillis
  return h(
    "span",
    {
      class: isSoon ? "who soon" : "who",
      title: `Signed in as ${userId} until ${Format.moment(expiresAt)}; version ${version}`,
    },
    isSoon ? `${userId} · ${Format.duration(Math.max(0, left))} left` : userId,
  )
}

export const layout = (props: LayoutProps): VChild =>
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
      h("div", { class: "brand" }, logo(), h("span", {}, "Armoricore")),
      navigation(props),
      h(
        "div",
        { class: "bar-tools" },
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            onClick: props.toggleTheme,
            "aria-label": `Colours: ${Theme.current()}; change`,
          },
          `Colours: ${Theme.current()}`,
        ),
        h("button", { type: "button", class: "quiet", onClick: props.help, title: "Keyboard shortcuts" }, "Keys"),
        operatorStatus(props.operator),
        h("button", { type: "button", class: "quiet", onClick: props.signOut }, "Sign out"),
      ),
    ),
    // The toasts come before the view: screen readers must keep the same live region when the view changes.
    h(
      "div",
      { class: "toasts", role: "status", "aria-live": "polite" },
      props.toasts.map(({ id, kind, text }) => h("p", { class: `toast ${kind}`, key: id }, text)),
    ),
    h("main", { id: "view", tabindex: "-1", key: props.current }, props.view),
    props.dialog,
  )

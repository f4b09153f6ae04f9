/** The operators' console: signs in, shows one view at a time, and is at home on a keyboard. */
import { type App, type Question, type Toast, type View } from "./App.ts"
import { CallFailed, type Connection, open } from "./Connection.ts"
import { type Child, h, patch } from "./Dom.ts"
import * as Session from "./Session.ts"
import * as Audit from "./views/Audit.ts"
import * as DeadLetters from "./views/DeadLetters.ts"
import * as Jobs from "./views/Jobs.ts"
import * as Moderation from "./views/Moderation.ts"
import * as Overview from "./views/Overview.ts"
import * as Providers from "./views/Providers.ts"
import * as Rooms from "./views/Rooms.ts"

const views = [
  ["overview", "Overview", Overview.view],
  ["jobs", "Jobs", Jobs.view],
  ["dead-letters", "Dead letters", DeadLetters.view],
  ["rooms", "Rooms", Rooms.view],
  ["providers", "Providers", Providers.view],
  ["moderation", "Moderation", Moderation.view],
  ["audit", "Audit", Audit.view],
] as const

const root = document.querySelector("#app")
if (root === null) throw new Error("the page has no place for the console")

let connection: Connection | undefined
let operator = ""
let refusal: string | undefined
let isSigningIn = false
let current = "overview"
let view: View | undefined
let toasts: ReadonlyArray<Toast> = []
let asked: { readonly question: Question; readonly answer: (reason: string | undefined) => void } | undefined
let isHelping = false
let isScheduled = false

const themes = ["auto", "light", "dark"] as const
let theme = themes.find((name) => name === localStorage.getItem("armoricore.console.theme")) ?? "auto"
const applyTheme = (): void => {
  if (theme === "auto") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
}

const draw = (): void => {
  if (isScheduled) return
  isScheduled = true
  requestAnimationFrame(() => {
    isScheduled = false
    patch(root, [connection === undefined || operator === "" ? signIn() : shell()])
  })
}

const say = (kind: Toast["kind"], text: string): void => {
  const toast: Toast = { id: Date.now() + Math.random(), kind, text }
  toasts = [...toasts, toast].slice(-4)
  setTimeout(() => {
    toasts = toasts.filter(({ id }) => id !== toast.id)
    draw()
  }, 6_000)
  draw()
}

const signOut = (why: string | undefined): void => {
  view?.stop()
  view = undefined
  connection?.close()
  connection = undefined
  operator = ""
  refusal = why
  Session.forget()
  draw()
}

const show = (name: string): void => {
  if (connection === undefined) return
  const [id, title, make] = views.find(([each]) => each === name) ?? views[0]
  view?.stop()
  current = id
  document.title = `${title} · Armoricore console`
  view = make(appOn(connection))
  draw()
}

const go = (name: string): void => {
  if (location.hash === `#${name}`) show(name)
  else location.hash = name
}

const appOn = (live: Connection): App => ({
  connection: live,
  draw,
  say,
  signOut,
  go,
  act: async (done, work) => {
    try {
      await work()
      if (done !== "") say("good", done)
      return true
    } catch (error) {
      if (error instanceof CallFailed && error.refused) signOut(error.message)
      else say("bad", error instanceof Error ? error.message : String(error))
      return false
    }
  },
  ask: (question) =>
    new Promise((resolve) => {
      asked = {
        question,
        answer: (reason) => {
          asked = undefined
          draw()
          resolve(reason)
        },
      }
      draw()
    }),
})

const enter = async (token: string): Promise<void> => {
  isSigningIn = true
  refusal = undefined
  draw()
  const live = open(token)
  try {
    const { user_id } = await live.call((client) => client.WhoAmI())
    operator = user_id
    connection = live
    Session.keep(token)
    show(location.hash.slice(1))
  } catch (error) {
    live.close()
    if (error instanceof CallFailed && error.refused) Session.forget()
    refusal = error instanceof Error ? error.message : String(error)
  }
  isSigningIn = false
  draw()
}

const mark = (): Child => h("img", { class: "mark", src: "/console/mark.svg", alt: "", width: 28, height: 28 })

const signIn = (): Child =>
  h(
    "main",
    { class: "sign-in" },
    h(
      "form",
      {
        class: "card",
        onSubmit: (event: Event) => {
          event.preventDefault()
          const field = document.querySelector("#token")
          if (field instanceof HTMLInputElement && field.value.trim() !== "") void enter(field.value.trim())
        },
      },
      mark(),
      h("h1", {}, "Armoricore console"),
      h("p", {}, "Sign in with a token that has the role ", h("code", {}, "operator"), "."),
      h("label", { for: "token" }, "Token"),
      h("input", {
        id: "token",
        type: "password",
        autocomplete: "off",
        required: true,
        "aria-describedby": refusal === undefined ? "token-hint" : "token-refusal token-hint",
      }),
      refusal === undefined ? null : h("p", { class: "wrong", id: "token-refusal", role: "alert" }, refusal),
      h(
        "button",
        { type: "submit", class: "primary", disabled: isSigningIn },
        isSigningIn ? "Signing in …" : "Sign in",
      ),
      h(
        "p",
        { class: "soft", id: "token-hint" },
        "To make one: ",
        h("code", {}, "armoricore token --user you --role operator"),
      ),
    ),
  )

const navigation = (): Child =>
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

const nextTheme = (): void => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto"
  localStorage.setItem("armoricore.console.theme", theme)
  applyTheme()
  draw()
}

const shell = (): Child =>
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
      navigation(),
      h(
        "div",
        { class: "bar-tools" },
        h(
          "button",
          { type: "button", class: "quiet", onClick: nextTheme, "aria-label": `Colours: ${theme}; change` },
          `Colours: ${theme}`,
        ),
        h("button", { type: "button", class: "quiet", onClick: () => help(true), title: "Keyboard shortcuts" }, "Keys"),
        h("span", { class: "who", title: `Signed in as ${operator}` }, operator),
        h("button", { type: "button", class: "quiet", onClick: () => signOut(undefined) }, "Sign out"),
      ),
    ),
    h("main", { id: "view", tabindex: "-1", key: current }, view?.draw()),
    h(
      "div",
      { class: "toasts", role: "status", "aria-live": "polite" },
      toasts.map(({ id, kind, text }) => h("p", { class: `toast ${kind}`, key: id }, text)),
    ),
    asked === undefined ? null : dialog(asked.question, asked.answer),
    isHelping ? helpDialog() : null,
  )

const showModal = (element: unknown): void => {
  if (element instanceof HTMLDialogElement) queueMicrotask(() => element.isConnected && element.showModal())
}

const dialog = (
  { confirm, dangerous, reason, text, title }: Question,
  answer: (reason: string | undefined) => void,
): Child =>
  h(
    "dialog",
    {
      key: title,
      ref: showModal,
      "aria-labelledby": "dialog-title",
      onCancel: (event: Event) => (event.preventDefault(), answer(undefined)),
    },
    h(
      "form",
      {
        onSubmit: (event: Event) => {
          event.preventDefault()
          const field = document.querySelector("#dialog-reason")
          answer(field instanceof HTMLInputElement ? field.value.trim() : "")
        },
      },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      reason === undefined
        ? null
        : [
            h("label", { for: "dialog-reason" }, reason),
            h("input", { id: "dialog-reason", maxlength: 200, autocomplete: "off" }),
          ],
      h(
        "div",
        { class: "acts" },
        h("button", { type: "submit", class: dangerous ? "danger" : "primary" }, confirm),
        h("button", { type: "button", onClick: () => answer(undefined) }, "Leave it"),
      ),
    ),
  )

const help = (on: boolean): void => {
  isHelping = on
  draw()
}

const keys = [
  ["1 – 7", "the views, in order"],
  ["j, k", "next and previous in a list"],
  ["Enter", "open what has the focus"],
  ["/", "search"],
  ["t", "light, dark or as the system"],
  ["?", "this help"],
  ["Esc", "close"],
] as const

const helpDialog = (): Child =>
  h(
    "dialog",
    {
      key: "help",
      ref: showModal,
      "aria-labelledby": "help-title",
      onCancel: (event: Event) => (event.preventDefault(), help(false)),
    },
    h("h2", { id: "help-title" }, "Keys"),
    h(
      "dl",
      { class: "keys" },
      keys.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
    ),
    h("div", { class: "acts" }, h("button", { type: "button", class: "primary", onClick: () => help(false) }, "Close")),
  )

const focusView = (): void => {
  const element = document.querySelector("#view")
  if (element instanceof HTMLElement) element.focus()
}

const step = (by: 1 | -1): void => {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row instanceof HTMLElement)
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement))
  const next = rows[at === -1 ? (by === 1 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))]
  next?.focus()
}

document.addEventListener("keydown", (event) => {
  const { target } = event
  if (operator === "" || asked !== undefined || event.ctrlKey || event.metaKey || event.altKey) return
  if (
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  ) {
    if (event.key === "Escape") target.blur()
    return
  }
  const chosen = views[Number(event.key) - 1]
  if (chosen !== undefined) return go(chosen[0])
  if (event.key === "j") step(1)
  else if (event.key === "k") step(-1)
  else if (event.key === "t") nextTheme()
  else if (event.key === "?") help(!isHelping)
  else if (event.key === "/") {
    const field = document.querySelector(".search")
    if (field instanceof HTMLInputElement) {
      event.preventDefault()
      field.focus()
    }
  }
})

addEventListener("hashchange", () => {
  const given = /[#&]token=/.test(location.hash) ? Session.read() : undefined
  if (given !== undefined) void enter(given)
  else show(location.hash.slice(1))
})

applyTheme()
const kept = Session.read()
if (kept === undefined) draw()
else void enter(kept)

/** The operators' console: signs in, shows one view at a time, and is at home on a keyboard. */
import type { App, Question, Toast, View } from "./App.ts"
import { CallFailed, type Connection, open } from "./Connection.ts"
import * as Dialogs from "./Dialogs.ts"
import { patch } from "./Dom.ts"
import { frame, type Operator } from "./Frame.ts"
import * as Keyboard from "./Keyboard.ts"
import * as Session from "./Session.ts"
import { signIn } from "./SignIn.ts"
import * as Theme from "./Theme.ts"
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
let operator: Operator | undefined
let refusal: string | undefined
let isSigningIn = false
let current = "overview"
let view: View | undefined
let toasts: ReadonlyArray<Toast> = []
let asked: { readonly question: Question; readonly answer: Dialogs.Answer } | undefined
let isHelping = false
let isScheduled = false

const draw = (): void => {
  if (isScheduled) return
  isScheduled = true
  requestAnimationFrame(() => {
    isScheduled = false
    const dialog = document.querySelector("dialog")
    patch(root, [
      operator === undefined
        ? signIn({ refusal, isBusy: isSigningIn, enter: (token) => void enter(token) })
        : frame({
            views: views.map(([id, title]) => [id, title]),
            current,
            operator,
            toasts,
            view: view?.draw(),
            dialog:
              asked !== undefined
                ? Dialogs.question(asked.question, asked.answer)
                : isHelping
                  ? Dialogs.help(() => help(false))
                  : null,
            colours,
            help: () => help(true),
            signOut: () => signOut(undefined),
          }),
    ])
    if (dialog?.isConnected === false) Dialogs.gone(dialog)
  })
}

const colours = (): void => {
  Theme.next()
  draw()
}

const help = (on: boolean): void => {
  isHelping = on
  draw()
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
  operator = undefined
  // Nobody is there to answer.
  asked?.answer(undefined)
  isHelping = false
  refusal = why
  document.title = "Armoricore console"
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
  // On a phone the names of the views are wider than the screen.
  requestAnimationFrame(() =>
    document.querySelector("nav a[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }),
  )
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
    const { expires_at, user_id, version } = await live.call((client) => client.WhoAmI())
    connection?.close()
    operator = { userId: user_id, expiresAt: expires_at, version }
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

Keyboard.listen({
  isFree: () => operator !== undefined && asked === undefined && !isHelping,
  choose: (place) => {
    const chosen = views[place - 1]
    if (chosen !== undefined) go(chosen[0])
    return chosen !== undefined
  },
  colours,
  help: () => help(true),
})

addEventListener("hashchange", () => {
  const given = /[#&]token=/.test(location.hash) ? Session.read() : undefined
  if (given !== undefined) void enter(given)
  else show(location.hash.slice(1))
})

Theme.apply()
const kept = Session.read()
if (kept === undefined) draw()
else void enter(kept)

/** The operator console: sign-in, one view at a time, keyboard shortcuts. */
import type { App, Confirmation, Toast, View } from "./App.ts"
import { CallError, type Connection, connect } from "./Connection.ts"
import * as Dialogs from "./Dialogs.ts"
import { patch } from "./VirtualDom.ts"
import { layout, type SignedInOperator } from "./Layout.ts"
import * as Keyboard from "./Keyboard.ts"
import * as Location from "./Location.ts"
import * as Oidc from "./Oidc.ts"
import * as Session from "./Session.ts"
import { signIn } from "./SignIn.ts"
import * as Theme from "./Theme.ts"
import * as Audit from "./views/Audit.ts"
import * as DeadLetters from "./views/DeadLetters.ts"
import * as Jobs from "./views/Jobs.ts"
import * as Media from "./views/Media.ts"
import * as Moderation from "./views/Moderation.ts"
import * as Notifications from "./views/Notifications.ts"
import * as Overview from "./views/Overview.ts"
import * as Providers from "./views/Providers.ts"
import * as Rooms from "./views/Rooms.ts"
import * as Suppressions from "./views/Suppressions.ts"
import * as Users from "./views/Users.ts"

const views = [
  ["overview", "Overview", Overview.view],
  ["jobs", "Jobs", Jobs.view],
  ["dead-letters", "Dead letters", DeadLetters.view],
  ["rooms", "Rooms", Rooms.view],
  ["providers", "Providers", Providers.view],
  ["suppressions", "Suppressions", Suppressions.view],
  ["moderation", "Moderation", Moderation.view],
  ["audit", "Audit", Audit.view],
  ["media", "Media", Media.view],
  ["users", "Users", Users.view],
  ["notifications", "Notifications", Notifications.view],
] as const

const root = document.querySelector("#app")
if (root === null) throw new Error("index.html has no element #app")

let connection: Connection | undefined
let operator: SignedInOperator | undefined
let errorMessage: string | undefined
let isSigningIn = false
/** Undefined until it is loaded, and where the installation has no identity provider. */
let oidc: Oidc.OidcConfig | undefined
let current = "overview"
let view: View | undefined
/** Counts the opened views: a view that was left must not change the URL. */
let opened = 0
let toasts: ReadonlyArray<Toast> = []
let confirmation: { readonly question: Confirmation; readonly answer: Dialogs.DialogResult } | undefined
let isHelping = false
let isScheduled = false

const render = (): void => {
  if (isScheduled) return
  isScheduled = true
  requestAnimationFrame(() => {
    isScheduled = false
    const dialog = document.querySelector("dialog")
    patch(root, [
      operator === undefined
        ? signIn({
            errorMessage,
            isBusy: isSigningIn,
            onSubmit: (token) => void signInWith(token),
            provider: oidc === undefined ? undefined : new URL(oidc.issuer).host,
            onProvider: () => void signInAtProvider(),
          })
        : layout({
            views: views.map(([id, title]) => [id, title]),
            current,
            operator,
            toasts,
            view: view?.render(),
            dialog:
              confirmation !== undefined
                ? Dialogs.confirmDialog(confirmation.question, confirmation.answer)
                : isHelping
                  ? Dialogs.helpDialog(() => setHelpOpen(false))
                  : null,
            toggleTheme,
            help: () => setHelpOpen(true),
            signOut: () => signOut(undefined),
          }),
    ])
    if (dialog?.isConnected === false) Dialogs.restoreFocus(dialog)
  })
}

const toggleTheme = (): void => {
  Theme.toggle()
  render()
}

const setHelpOpen = (isOpen: boolean): void => {
  isHelping = isOpen
  render()
}

const showToast = (kind: Toast["kind"], text: string): void => {
  const toast: Toast = { id: Date.now() + Math.random(), kind, text }
  toasts = [...toasts, toast].slice(-4)
  setTimeout(() => {
    toasts = toasts.filter(({ id }) => id !== toast.id)
    render()
  }, 6_000)
  render()
}

const signOut = (reason: string | undefined): void => {
  view?.dispose()
  view = undefined
  connection?.close()
  connection = undefined
  operator = undefined
  // An open dialog must not outlive the session.
  confirmation?.answer(undefined)
  isHelping = false
  errorMessage = reason
  document.title = "Armoricore console"
  Session.clearToken()
  render()
}

/** Shows the view of the URL. */
const showView = (): void => {
  if (connection === undefined) return
  const { params, view: name } = Location.current()
  const [id, title, make] = views.find(([each]) => each === name) ?? views[0]
  view?.dispose()
  current = id
  document.title = `${title} · Armoricore console`
  view = make(makeApp(connection, params))
  render()
  // On a phone the navigation is wider than the screen: scroll to the current view.
  requestAnimationFrame(() =>
    document.querySelector("nav a[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }),
  )
}

const navigate = (name: string): void => {
  if (location.hash === `#${name}`) showView()
  else location.hash = name
}

const makeApp = (live: Connection, params: URLSearchParams, number = ++opened): App => ({
  connection: live,
  render,
  showToast,
  signOut,
  navigate,
  params,
  setParams: (changes, mode = "replace") => {
    if (number === opened) Location.change(changes, mode)
  },
  perform: async (successMessage, work) => {
    try {
      await work()
      if (successMessage !== "") showToast("good", successMessage)
      return true
    } catch (error) {
      if (error instanceof CallError && error.isAccessDenied) signOut(error.message)
      else showToast("bad", error instanceof Error ? error.message : String(error))
      return false
    }
  },
  confirm: (question) =>
    new Promise((resolve) => {
      confirmation = {
        question,
        answer: (reason) => {
          confirmation = undefined
          render()
          resolve(reason)
        },
      }
      render()
    }),
})

const signInWith = async (token: string): Promise<void> => {
  isSigningIn = true
  errorMessage = undefined
  render()
  const live = connect(token)
  try {
    const { expires_at, user_id, version } = await live.call((client) => client.WhoAmI())
    connection?.close()
    operator = { userId: user_id, expiresAt: expires_at, version }
    connection = live
    Session.storeToken(token)
    showView()
  } catch (error) {
    live.close()
    if (error instanceof CallError && error.isAccessDenied) Session.clearToken()
    errorMessage = error instanceof Error ? error.message : String(error)
  }
  isSigningIn = false
  render()
}

/** Leaves the page; the provider sends the browser back to it. */
const signInAtProvider = async (): Promise<void> => {
  if (oidc === undefined) return
  isSigningIn = true
  render()
  try {
    await Oidc.begin(oidc)
  } catch (error) {
    isSigningIn = false
    errorMessage = Oidc.describeFailure(error, oidc)
    render()
  }
}

const start = async (): Promise<void> => {
  const storedToken = Session.readToken()
  if (storedToken !== undefined) void signInWith(storedToken)
  else render()
  // The page works with a token while the settings of the server cannot be read.
  oidc = await Oidc.loadConfig().catch(() => undefined)
  render()
  if (oidc === undefined || !Oidc.isReturn()) return
  isSigningIn = true
  render()
  try {
    await signInWith(await Oidc.finish(oidc))
  } catch (error) {
    isSigningIn = false
    errorMessage = Oidc.describeFailure(error, oidc)
    render()
  }
}

Keyboard.bindKeys({
  isEnabled: () => operator !== undefined && confirmation === undefined && !isHelping,
  selectView: (place) => {
    const selectedView = views[place - 1]
    if (selectedView !== undefined) navigate(selectedView[0])
    return selectedView !== undefined
  },
  toggleTheme,
  help: () => setHelpOpen(true),
})

addEventListener("hashchange", () => {
  const linkToken = Session.hasLinkToken() ? Session.readToken() : undefined
  if (linkToken !== undefined) void signInWith(linkToken)
  else showView()
})

Theme.apply()
void start()

/** The first page: asks for the token, and says why one does not count. */
import { type Child, h } from "./Dom.ts"

export interface SignIn {
  readonly refusal: string | undefined
  readonly isBusy: boolean
  readonly enter: (token: string) => void
}

export const mark = (): Child => h("img", { class: "mark", src: "/console/mark.svg", alt: "", width: 28, height: 28 })

export const signIn = ({ enter, isBusy, refusal }: SignIn): Child =>
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
          if (field instanceof HTMLInputElement && field.value.trim() !== "") enter(field.value.trim())
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
        ref: (field: unknown) => field instanceof HTMLElement && queueMicrotask(() => field.focus()),
        "aria-describedby": refusal === undefined ? "token-hint" : "token-refusal token-hint",
      }),
      refusal === undefined ? null : h("p", { class: "wrong", id: "token-refusal", role: "alert" }, refusal),
      h("button", { type: "submit", class: "primary", disabled: isBusy }, isBusy ? "Signing in …" : "Sign in"),
      h(
        "p",
        { class: "soft", id: "token-hint" },
        "To make one: ",
        h("code", {}, "armoricore token --user you --role operator"),
      ),
    ),
  )

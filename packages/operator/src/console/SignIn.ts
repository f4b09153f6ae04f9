/** The sign-in page: a field for the token, and the reason why a token was rejected. */
import { type VChild, h } from "./VirtualDom.ts"

export interface SignInProps {
  readonly errorMessage: string | undefined
  readonly isBusy: boolean
  readonly onSubmit: (token: string) => void
}

export const logo = (): VChild => h("img", { class: "mark", src: "/console/mark.svg", alt: "", width: 28, height: 28 })

export const signIn = ({ onSubmit, isBusy, errorMessage }: SignInProps): VChild =>
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
          if (field instanceof HTMLInputElement && field.value.trim() !== "") onSubmit(field.value.trim())
        },
      },
      logo(),
      h("h1", {}, "Armoricore console"),
      h("p", {}, "Sign in with a token that has the role ", h("code", {}, "operator"), "."),
      h("label", { for: "token" }, "Token"),
      h("input", {
        id: "token",
        type: "password",
        autocomplete: "off",
        required: true,
        ref: (field: unknown) => field instanceof HTMLElement && queueMicrotask(() => field.focus()),
        "aria-describedby": errorMessage === undefined ? "token-hint" : "token-refusal token-hint",
      }),
      errorMessage === undefined ? null : h("p", { class: "wrong", id: "token-refusal", role: "alert" }, errorMessage),
      h("button", { type: "submit", class: "primary", disabled: isBusy }, isBusy ? "Signing in …" : "Sign in"),
      h(
        "p",
        { class: "soft", id: "token-hint" },
        "Create a token with ",
        h("code", {}, "armoricore token --user you --role operator"),
      ),
    ),
  )

/** The sign-in page: a provider if there is one, a field for the token, and the reason why a token was rejected. */
import { h } from "./VirtualDom.ts";
export const logo = () => h("img", { class: "mark", src: "/console/mark.svg", alt: "", width: 28, height: 28 });
export const signIn = ({ errorMessage, isBusy, onProvider, onSubmit, provider }) => h("main", { class: "sign-in" }, h("form", {
    class: "card",
    onSubmit: (event) => {
        event.preventDefault();
        const field = document.querySelector("#token");
        if (field instanceof HTMLInputElement && field.value.trim() !== "")
            onSubmit(field.value.trim());
    },
}, logo(), h("h1", {}, "Armoricore console"), provider === undefined
    ? null
    : h("button", { type: "button", class: "primary", id: "provider", disabled: isBusy, onClick: onProvider }, `Sign in at ${provider}`), h("p", {}, provider === undefined ? "Sign in with a token" : "Or sign in with a token", " that has the role ", h("code", {}, "operator"), "."), h("label", { for: "token" }, "Token"), h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    required: true,
    ref: (field) => field instanceof HTMLElement && queueMicrotask(() => field.focus()),
    "aria-describedby": errorMessage === undefined ? "token-hint" : "token-refusal token-hint",
}), errorMessage === undefined ? null : h("p", { class: "wrong", id: "token-refusal", role: "alert" }, errorMessage), h("button", { type: "submit", class: provider === undefined ? "primary" : "", disabled: isBusy }, isBusy ? "Signing in …" : "Sign in"), h("p", { class: "soft", id: "token-hint" }, "Create a token with ", h("code", {}, "armoricore token --user you --role operator"))));

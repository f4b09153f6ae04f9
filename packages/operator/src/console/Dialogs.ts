/** Questions before an act that cannot be undone, and the list of keys. The focus goes back to where it came from. */
import type { Confirmation } from "./App.ts"
import { type VChild, h } from "./VirtualDom.ts"

export type DialogResult = (reason: string | undefined) => void

const showModal = (element: unknown): void => {
  if (!(element instanceof HTMLDialogElement)) return
  const opener = document.activeElement
  queueMicrotask(() => element.isConnected && element.showModal())
  element.addEventListener("gone", () => {
    // The row that opened the dialog may be gone; then the view gets the focus, not the top of the page.
    const back = opener instanceof HTMLElement && opener.isConnected && opener !== document.body ? opener : undefined
    const target = back ?? document.querySelector("#view")
    if (target instanceof HTMLElement) target.focus()
  })
}

/** To be called once the page is drawn without the dialog. */
export const restoreFocus = (dialog: Element | null): void => {
  dialog?.dispatchEvent(new Event("gone"))
}

export const confirmDialog = (
  { confirm, dangerous, reasonLabel, text, title }: Confirmation,
  onResult: DialogResult,
): VChild =>
  h(
    "dialog",
    {
      key: title,
      ref: showModal,
      "aria-labelledby": "dialog-title",
      onCancel: (event: Event) => (event.preventDefault(), onResult(undefined)),
    },
    h(
      "form",
      {
        onSubmit: (event: Event) => {
          event.preventDefault()
          const field = document.querySelector("#dialog-reason")
          onResult(field instanceof HTMLInputElement ? field.value.trim() : "")
        },
      },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      reasonLabel === undefined
        ? null
        : [
            h("label", { for: "dialog-reason" }, reasonLabel),
            h("input", { id: "dialog-reason", maxlength: 200, autocomplete: "off" }),
          ],
      h(
        "div",
        { class: "acts" },
        h("button", { type: "submit", class: dangerous ? "danger" : "primary" }, confirm),
        h("button", { type: "button", onClick: () => onResult(undefined) }, "Leave it"),
      ),
    ),
  )

const shortcuts = [
  ["1 – 7", "the views, in order"],
  ["j, k", "next and previous in a list"],
  ["Enter", "open what has the focus"],
  ["/", "search"],
  ["t", "light, dark or as the system"],
  ["?", "this help"],
  ["Esc", "close"],
] as const

export const helpDialog = (close: () => void): VChild =>
  h(
    "dialog",
    {
      key: "help",
      ref: showModal,
      "aria-labelledby": "help-title",
      onCancel: (event: Event) => (event.preventDefault(), close()),
    },
    h("h2", { id: "help-title" }, "Keys"),
    h(
      "dl",
      { class: "keys" },
      shortcuts.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
    ),
    h("div", { class: "acts" }, h("button", { type: "button", class: "primary", onClick: close }, "Close")),
  )

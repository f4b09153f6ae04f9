/**
 * The confirmation dialog and the list of keyboard shortcuts. When a dialog closes, the focus returns to its opener.
 */
import type { Confirmation } from "./App.ts"
import { type VChild, h } from "./VirtualDom.ts"

export type DialogResult = (reason: string | undefined) => void

const showModal = (element: unknown): void => {
  if (!(element instanceof HTMLDialogElement)) return
  const opener = document.activeElement
  queueMicrotask(() => element.isConnected && element.showModal())
  element.addEventListener("gone", () => {
    // The row that opened the dialog may have been removed. Then the view gets the focus, not the top of the page.
    const back = opener instanceof HTMLElement && opener.isConnected && opener !== document.body ? opener : undefined
    const target = back ?? document.querySelector("#view")
    if (target instanceof HTMLElement) target.focus()
  })
}

/** Call it after the rendering that removed the dialog. */
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
        h("button", { type: "button", onClick: () => onResult(undefined) }, "Go back"),
      ),
    ),
  )

const shortcuts = [
  ["1 – 7", "go to a view"],
  ["j, k", "next or previous row"],
  ["Enter", "open the focused row"],
  ["/", "search"],
  ["t", "change the theme: light, dark or system"],
  ["?", "show the keyboard shortcuts"],
  ["Esc", "close the dialog or leave the field"],
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

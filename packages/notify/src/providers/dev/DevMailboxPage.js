/**
 * The page `/mailbox` of an installation without an e-mail provider. It reads `GET /v1/inbox` with the token of its
 * URL fragment (the demo page links it so) or with a pasted one. Mail is untrusted: its HTML is shown in a frame without scripts, forms,
 * navigation or network.
 */
import { securityHeaders } from "@armoricore/domain/PageSecurity";
import { Layer } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0; display: grid; grid-template: auto 1fr / minmax(16rem, 24rem) 1fr; min-height: 100vh }
header { grid-column: 1 / -1; padding: .75rem 1rem; border-bottom: 1px solid #8886; display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap }
h1 { font-size: 1.2rem; margin: 0 }
#note, li span { color: light-dark(#4a4a4a, #b8b8b8) }
#note { margin: 0 }
nav { border-right: 1px solid #8886; overflow: auto }
ul { list-style: none; margin: 0; padding: 0 }
li button { all: unset; box-sizing: border-box; display: block; width: 100%; padding: .6rem 1rem; cursor: pointer; border-bottom: 1px solid #8883 }
li button:focus-visible { outline: 2px solid Highlight; outline-offset: -2px }
li button[aria-current=true] { background: #8882 }
li b, li span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
li span { font-size: .85rem }
main { padding: 1rem; min-width: 0 }
h2 { margin: 0; overflow-wrap: anywhere }
h3 { margin-bottom: .25rem }
iframe { box-sizing: border-box; width: 100%; height: 40vh; border: 1px solid #8886; background: #fff }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8886; padding: 1rem }
@media (max-width: 44rem) { body { grid-template: auto auto 1fr / 1fr } nav { border-right: 0 } }
`;
const script = `
const list = document.querySelector("ul"), main = document.querySelector("main"), note = document.querySelector("#note")
const form = document.querySelector("form")
let token = new URLSearchParams(location.hash.slice(1)).get("token"), shown = "", known = ""
const element = (name, text, more = {}) => Object.assign(document.createElement(name), { textContent: text }, more)
const open = (message) => {
  shown = message.message_id
  for (const button of list.querySelectorAll("button")) button.setAttribute("aria-current", String(button.value === shown))
  const title = element("h2", message.title)
  const about = element("p", message.channel + " to " + message.to + ", " + new Date(message.received_at).toLocaleString())
  const parts = [title, about]
  if (message.html) {
    const frame = element("iframe", "", { title: "The mail as HTML" })
    frame.setAttribute("sandbox", "")
    frame.setAttribute("referrerpolicy", "no-referrer")
    const policy = "<meta http-equiv=content-security-policy content=\\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\\">"
    frame.srcdoc = policy + message.html
    parts.push(element("h3", "HTML"), frame)
  }
  parts.push(element("h3", "Text"), element("pre", message.text))
  if (message.attachments.length > 0) parts.push(element("p", "Attachments: " + message.attachments.join(", ")))
  main.replaceChildren(...parts)
}
const refresh = async () => {
  form.hidden = Boolean(token)
  if (!token) return void (note.textContent = "Paste a token: armoricore token --user you --role operator")
  const answer = await fetch("/v1/inbox", { headers: { authorization: "Bearer " + token } })
  if (!answer.ok) {
    token = ""
    return void (note.textContent = "The token is no longer accepted; paste a new one")
  }
  const { messages } = await answer.json()
  note.textContent = messages.length === 0 ? "No message yet" : messages.length + " in the last seven days"
  const now = messages.map((one) => one.message_id + one.received_at).join()
  if (now === known) return
  known = now
  list.replaceChildren(...messages.map((message) => {
    const button = element("button", "", { value: message.message_id, onclick: () => open(message) })
    button.append(element("b", message.title || "(no title)"), element("span", message.channel + " to " + message.to))
    const item = document.createElement("li")
    item.append(button)
    return item
  }))
  const first = messages.find((one) => one.message_id === shown) ?? messages[0]
  if (first) open(first)
}
form.onsubmit = (event) => { event.preventDefault(); token = form.token.value.trim(); void refresh() }
void refresh()
setInterval(() => void refresh().catch(() => { note.textContent = "The server does not respond" }), 2000)
`;
const document = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Mailbox</title>
<link rel="stylesheet" href="/mailbox/style.css"><script type="module" src="/mailbox/script.js"></script></head>
<body><header><h1>Mailbox</h1><p id="note" role="status">Opening…</p>
<form hidden><label>Token <input name="token" autocomplete="off"></label> <button>Open</button></form></header>
<nav aria-label="Messages"><ul></ul></nav><main><p>Mail that an e-mail provider would send arrives here instead.</p></main></body>
</html>
`;
// A srcdoc frame inherits this policy. Mail needs inline styles; scripts stay forbidden.
const headers = {
    ...securityHeaders({
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "data:",
        "connect-src": "'self'",
        "frame-src": "'self'",
        "form-action": "'self'",
    }),
    "cache-control": "no-cache",
};
const file = (contentType, text) => HttpServerResponse.text(text, { contentType, headers });
export const routes = Layer.mergeAll(HttpRouter.add("GET", "/mailbox", file("text/html; charset=utf-8", document)), HttpRouter.add("GET", "/mailbox/style.css", file("text/css; charset=utf-8", style)), HttpRouter.add("GET", "/mailbox/script.js", file("text/javascript; charset=utf-8", script)));

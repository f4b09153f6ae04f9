/** The user of this page, and its WebSocket. */
import { Socket } from "phoenix"

/** Requests a user and a token from the demo's route. The socket requests again before a reconnect, so the token is fresh. */
const askForSession = async (userId) => {
  const response = await fetch("/demo/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user_id: userId }),
  })
  if (!response.ok) throw new Error(`no session: the server answered ${response.status}`)
  return response.json()
}

/** The visitor of this tab, so that a reload continues as the same user. */
const visitorKey = "armoricore-demo-user"

/** Opens the session; `onState` receives "connecting", "open" or "closed". */
export const openSession = async (onState) => {
  let current = await askForSession(sessionStorage.getItem(visitorKey) ?? undefined)
  sessionStorage.setItem(visitorKey, current.user_id)
  const socket = new Socket("/socket", { params: () => ({ token: current.token }) })
  onState("connecting")
  socket.onOpen(() => onState("open"))
  socket.onClose(async () => {
    onState("closed")
    try {
      current = await askForSession(current.user_id)
    } catch {
      // The server is unavailable. The socket retries, and its next close requests a session again.
      onState("closed")
    }
  })
  socket.connect()
  return {
    socket,
    userId: current.user_id,
    latestMedia: current.media_id,
    token: () => current.token,
  }
}

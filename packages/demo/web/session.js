/** Who the page is, and its one WebSocket. */
import { Socket } from "phoenix"

/** Asks the demo's own route for a user and a token; the socket asks again at each reconnect, so it never goes stale. */
const askForSession = async (userId) => {
  const response = await fetch("/demo/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user_id: userId }),
  })
  if (!response.ok) throw new Error(`no session: the server answered ${response.status}`)
  return response.json()
}

/** Opens the session; `onState` hears "connecting", "open" or "closed". */
export const openSession = async (onState) => {
  let current = await askForSession()
  const socket = new Socket("/socket", { params: () => ({ token: current.token }) })
  onState("connecting")
  socket.onOpen(() => onState("open"))
  socket.onClose(async () => {
    onState("closed")
    try {
      current = await askForSession(current.user_id)
    } catch {
      // The server is away; the socket tries on, and the next close asks again.
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

/** The user of this page, and its connection. */
import { connect } from "@armoricore/client"

/** Requests a user and a token from the demo's route. */
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
  let isFirst = true
  const { socket } = connect("/socket", {
    token: async () => {
      if (!isFirst) current = await askForSession(current.user_id)
      isFirst = false
      return current.token
    },
    onTokenError: () => onState("closed"),
  })
  onState("connecting")
  socket.onOpen(() => onState("open"))
  socket.onClose(() => onState("closed"))
  return {
    socket,
    userId: current.user_id,
    latestMedia: current.media_id,
    token: () => current.token,
  }
}

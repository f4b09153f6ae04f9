/** Live comments below the video, at most one per second and user, and the number of viewers. */
import { createEntries, onSubmit } from "./entries.js"

const stream = "demo"

export const createComments = (socket, userId, byId, log) => {
  const entries = createEntries(byId("comments"), userId)
  const channel = socket.channel(`comments:stream:${stream}`, () => entries.since())
  channel.on("new_comment", (comment) => {
    entries.add(comment)
    log("new_comment", { hint: `${comment.user_id}: ${comment.content}`, ...comment })
  })
  channel.on("comment_removed", ({ id }) => entries.remove(id))
  channel.on("viewer_count", ({ count }) => {
    byId("viewers").textContent = `${count} ${count === 1 ? "viewer" : "viewers"}`
  })
  onSubmit(byId("comment-form"), byId("comment-text"), byId("comment-fault"), (content) =>
    channel.push("new_comment", { content }),
  )
  channel.join().receive("ok", ({ comments, recovered, more }) => {
    entries.addReplay(channel, comments, { recovered, more })
    log(`joined comments:stream:${stream}`, { hint: `${comments.length} comments`, recovered }, "sent")
  })
}

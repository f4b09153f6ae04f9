/** Live comments below the video, at most one per second and user, and the number of viewers. */
import { channel } from "@armoricore/client"
import { createEntries, onSubmit } from "./entries.js"

const stream = "demo"

export const createComments = (socket, userId, byId, log) => {
  const topic = `comments:stream:${stream}`
  const entries = createEntries(byId("comments"), userId)
  const comments = channel(socket, topic, {})
  comments.onJoin(({ comments: latest, recovered }) => {
    if (!recovered) entries.gap()
    for (const comment of latest) entries.add(comment)
    log(`joined ${topic}`, { hint: `${latest.length} comments`, recovered }, "sent")
  })
  comments.onCatchUp(({ messages }) => {
    for (const comment of messages) entries.add(comment)
  })
  comments.on("new_comment", (comment) => {
    entries.add(comment)
    log("new_comment", { hint: `${comment.user_id}: ${comment.content}`, ...comment })
  })
  comments.on("message_edited", (comment) => entries.change(comment))
  comments.on("comment_removed", ({ id }) => entries.remove(id))
  comments.on("viewer_count", ({ count }) => {
    byId("viewers").textContent = `${count} ${count === 1 ? "viewer" : "viewers"}`
  })
  onSubmit(byId("comment-form"), byId("comment-text"), byId("comment-fault"), (content) =>
    comments.push("new_comment", { content }),
  )
  // A refused join is tried again by the client.
  comments.join().catch(({ reason }) => log(`join of ${topic} refused`, { hint: reason }, "bad"))
}

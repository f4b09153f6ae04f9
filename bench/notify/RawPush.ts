/** One push in APNs form by node:http2 alone: the raw limit that the workers are compared with. */
import type * as Http2 from "node:http2"

export interface Answer {
  readonly status: number
  /** Whether the answer names the push that was sent. */
  readonly isForThis: boolean
}

export const rawPush = (session: Http2.ClientHttp2Session, token: string) =>
  new Promise<Answer>((resolve, reject) => {
    const id = crypto.randomUUID()
    const stream = session.request({
      ":method": "POST",
      ":path": `/3/device/${token}`,
      authorization: `bearer ${"x".repeat(200)}`,
      "apns-topic": "com.example",
      "apns-push-type": "alert",
      "apns-priority": "10",
      "apns-id": id,
      "apns-collapse-id": id,
    })
    let answered: Http2.IncomingHttpHeaders & Http2.IncomingHttpStatusHeader = {}
    stream.on("response", (headers) => {
      answered = headers
    })
    stream.resume()
    stream.on("end", () => resolve({ status: Number(answered[":status"]), isForThis: answered["apns-id"] === id }))
    stream.on("error", reject)
    stream.end(JSON.stringify({ aps: { alert: { title: "Hello", body: "World" }, sound: "default" } }))
  })

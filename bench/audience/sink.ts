/**
 * The other side of `bench/audience`, in a process of its own: takes pushes as APNs does. With `throttle` it answers the first
 * push to every hundredth device with 429 and `Retry-After: 1`. It counts what each device accepted.
 */
import { certificate, privateKey } from "@armoricore/testing/fakes/TestCertificate"
import * as Http2 from "node:http2"

const isThrottling = process.argv[2] === "throttle"
const accepted = new Map<string, number>()
const refused = new Set<string>()

const server = Http2.createSecureServer({ key: privateKey, cert: certificate })
server.on("stream", (stream, headers) => {
  stream.on("error", () => {})
  stream.resume()
  stream.on("end", () => {
    const token = String(headers[":path"]).slice(-64)
    const id = String(headers["apns-id"] ?? "")
    if (isThrottling && token.endsWith("00") && !refused.has(token)) {
      refused.add(token)
      stream.respond({ ":status": 429, "retry-after": "1", "apns-id": id })
      return stream.end(JSON.stringify({ reason: "TooManyRequests" }))
    }
    accepted.set(token, (accepted.get(token) ?? 0) + 1)
    stream.respond({ ":status": 200, "apns-id": id })
    stream.end()
  })
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 })
})
process.on("message", () => {
  process.send?.({
    devices: accepted.size,
    twice: [...accepted.values()].filter((count) => count > 1).length,
    throttled: refused.size,
  })
  accepted.clear()
  refused.clear()
})
process.on("disconnect", () => process.exit(0))

/** The other side of `bench/notify.ts`, in a process of its own: takes every push and every mail, and says so. */
import { certificate, privateKey } from "@armoricore/testing/fakes/TestCertificate"
import * as Http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { SMTPServer } from "smtp-server"

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === "object" && address !== null ? address.port : 0

const pushes = Http2.createSecureServer({ key: privateKey, cert: certificate })
pushes.on("stream", (stream, headers) => {
  stream.on("error", () => {})
  stream.resume()
  stream.on("end", () => {
    stream.respond({ ":status": 200, "apns-id": String(headers["apns-id"] ?? "") })
    stream.end()
  })
})

const mails = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS", "AUTH"],
  logger: false,
  onData: (stream, _session, callback) => {
    stream.resume()
    stream.on("end", () => callback())
  },
})
mails.on("error", () => {})

pushes.listen(0, "127.0.0.1", () => {
  const server = mails.listen(0, "127.0.0.1", () => {
    process.send?.({ push: portOf(pushes.address()), mail: portOf(server.address()) })
  })
})
process.on("disconnect", () => process.exit(0))

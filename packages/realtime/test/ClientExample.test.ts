/** The example of the page for those who write clients, run as it stands there. */
import { readFileSync } from "node:fs"
import { runInThisContext } from "node:vm"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Socket } from "phoenix"
import { WebSocket } from "ws"
import { start } from "./support/TestServer.ts"

const page = readFileSync(new URL("../../../docs/clients.md", import.meta.url), "utf8")
const [, example = ""] = /```js\nimport .*\n([^`]*)```/.exec(page) ?? []

it.live("the example of docs/clients.md chats, and goes on after a reconnect", () =>
  Effect.gen(function* () {
    const server = yield* start()
    const sockets: Array<Socket> = []
    class Here extends Socket {
      constructor(_: string, options: Record<string, unknown>) {
        super(server.url, { ...options, transport: WebSocket, reconnectAfterMs: () => 20, rejoinAfterMs: () => 20 })
        sockets.push(this)
      }
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.disconnect())))
    const shown: Array<string> = []
    const show = ({ content }: { readonly content: string }) => shown.push(content)
    const run: unknown = runInThisContext(`(Socket, token, show) => {${example}}`)
    assert.isFunction(run)
    if (typeof run === "function") run(Here, yield* server.token("u1"), show)
    const until = (condition: () => boolean) => Effect.repeat(Effect.sleep(5), { while: () => !condition() })
    yield* until(() => shown.length === 1)
    const before = server.endpoint.sockets()
    for (const socket of before) socket.kick("reconnect")
    yield* until(() => server.endpoint.sockets().some((one) => !before.includes(one) && one.topics().length === 1))
    server.topics.deliver("chat:room:42", "new_message", { content: "after", seq: 9e15 })
    yield* until(() => shown.length === 2)
    assert.deepStrictEqual(shown, ["hello", "after"])
  }),
)

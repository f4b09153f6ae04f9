/**
 * Long-poll sessions that live on another node: a request that the load balancer brought here is put to that node and
 * answered with what it says. The session's token names its node. A node that is gone took its sessions along: 410, and the
 * client opens a new one. So it is where an answer was lost between nodes.
 */
import { Duration, Effect, Fiber, Schema } from "effect"
import type { Answer } from "../transports/LongPollTransport.ts"
import { Cluster } from "./Cluster.ts"

export interface Line {
  readonly bytes: Buffer
  readonly isBinary: boolean
}

/** What a request needs of a session, wherever that is. */
export interface Session {
  readonly poll: (answer: Answer, now: number) => void
  readonly unpark: (answer: Answer) => void
  readonly push: (lines: ReadonlyArray<Line>, done: (taken: boolean) => void) => void
  readonly isGone: boolean
}

const kinds = { poll: "poll.get", unpark: "poll.unpark", push: "poll.post" } as const

const Poll = Schema.Struct({ token: Schema.String, id: Schema.String })
const Answered = Schema.Struct({ status: Schema.Literals([200, 204, 410]), messages: Schema.Array(Schema.String) })
const Unpark = Schema.Struct({ id: Schema.String })
const Push = Schema.Struct({
  token: Schema.String,
  lines: Schema.Array(Schema.Struct({ base64: Schema.String, isBinary: Schema.Boolean })),
})
const Pushed = Schema.Literals(["taken", "busy", "gone"])

/** `find` looks among the sessions of this node. */
export const make = Effect.fnUntraced(function* (options: {
  readonly find: (token: string) => Session | undefined
  readonly now: () => number
  readonly pollWindow: Duration.Duration
}) {
  const cluster = yield* Cluster
  const run = Effect.runForkWith(yield* Effect.context<never>())
  /** Polls of other nodes that wait here. */
  const parked = new Map<string, { readonly session: Session; readonly answer: Answer }>()
  // The owner answers an idle poll when its window is over.
  const patience = Duration.sum(options.pollWindow, Duration.seconds(3))
  let count = 0

  yield* cluster.on(kinds.poll, Poll, ({ value: { token, id }, answer }) => {
    const session = options.find(token)
    if (session === undefined) return answer({ status: 410, messages: [] })
    const answered: Answer = (status, messages) => {
      parked.delete(id)
      answer({ status, messages })
    }
    parked.set(id, { session, answer: answered })
    session.poll(answered, options.now())
  })
  yield* cluster.on(kinds.unpark, Unpark, ({ value: { id } }) => {
    const waiting = parked.get(id)
    parked.delete(id)
    waiting?.session.unpark(waiting.answer)
  })
  yield* cluster.on(kinds.push, Push, ({ value: { token, lines }, answer }) => {
    const session = options.find(token)
    if (session === undefined) return answer("gone")
    session.push(
      lines.map(({ base64, isBinary }) => ({ bytes: Buffer.from(base64, "base64"), isBinary })),
      (taken) => answer(taken ? "taken" : session.isGone ? "gone" : "busy"),
    )
  })

  const remote = (node: string, token: string): Session => {
    let isGone = false
    const asked = new Map<Answer, { readonly id: string; readonly fiber: Fiber.Fiber<void> }>()
    return {
      poll: (answer) => {
        const id = `${cluster.node}.${++count}`
        const fiber = run(
          Effect.map(cluster.ask(node, kinds.poll, { token, id }, Answered, patience), (answered) => {
            asked.delete(answer)
            if (answered !== undefined) answer(answered.status, answered.messages)
            // It may have answered, and messages were lost with the answer: the client must ask for what it missed.
            else answer(410, [])
          }),
        )
        asked.set(answer, { id, fiber })
      },
      unpark: (answer) => {
        const waiting = asked.get(answer)
        if (waiting === undefined) return
        asked.delete(answer)
        run(Effect.andThen(Fiber.interrupt(waiting.fiber), cluster.tell(node, kinds.unpark, { id: waiting.id })))
      },
      push: (lines, done) => {
        const value = {
          token,
          lines: lines.map(({ bytes, isBinary }) => ({ base64: bytes.toString("base64"), isBinary })),
        }
        run(
          Effect.map(cluster.ask(node, kinds.push, value, Pushed, patience), (pushed) => {
            isGone = pushed === "gone" || (pushed === undefined && !cluster.others().includes(node))
            done(pushed === "taken")
          }),
        )
      },
      get isGone() {
        return isGone
      },
    }
  }

  return {
    /** Another node's session; `undefined`: there is no such node. */
    session: (token: string): Session | undefined => {
      const node = token.split(".")[1] ?? ""
      return cluster.others().includes(node) ? remote(node, token) : undefined
    },
    node: cluster.node,
  }
})

/**
 * A crowd of clients in a process of its own, so that their CPU is not the server's. They are plain TCP connections that
 * count frames without decoding them.
 */
import { connect, type RawClient } from "../realtime/RawClient.ts"
import { type CrowdCommand, type CrowdReport, push, reaction, type TextKind, timeMarker } from "./Protocol.ts"

const reply = Buffer.from('"phx_reply"')
const marker = Buffer.from(timeMarker)

interface Member {
  readonly client: RawClient
  /** Called when the reply to its message arrives. */
  onReply: (() => void) | undefined
  /** The end of the last chunk, which may hold the begin of `phx_reply`. */
  rest: Buffer
}

let members: ReadonlyArray<Member> = []
let topic = ""
let written = 0
/** Frames before the last order, and replies since then. */
let framesBefore = 0
let replies = 0
let late: Array<number> = []
let isPaced = false
let checkReceived: () => void = () => {}

const sendReport = (report: CrowdReport): void => void process.send?.(report)
const totalFrames = (): number => members.reduce((sum, { client }) => sum + client.frames(), 0)

const onChunk = (member: Member, chunk: Buffer): void => {
  if (isPaced) {
    const at = chunk.lastIndexOf(marker)
    const sentAt =
      at === -1 ? Number.NaN : Number(chunk.toString("latin1", at + marker.length, at + marker.length + 17))
    if (sentAt > 0) late.push(performance.timeOrigin + performance.now() - sentAt)
  }
  if (member.onReply === undefined) return
  const bytes = member.rest.length === 0 ? chunk : Buffer.concat([member.rest, chunk])
  if (bytes.includes(reply)) {
    const { onReply } = member
    member.onReply = undefined
    member.rest = Buffer.alloc(0)
    replies++
    onReply()
  } else member.rest = Buffer.from(bytes.subarray(-reply.length))
}

const connectAll = async (command: Extract<CrowdCommand, { order: "connect" }>): Promise<void> => {
  for (const { client } of members) client.disconnect()
  topic = command.topic
  const join = JSON.stringify(["1", "1", topic, "phx_join", { last: 10 }])
  members = await Promise.all(
    command.tokens.map(async (token, index) => {
      const client = await connect("armoricore", command.port, token, `127.0.0.${2 + (index % 8)}`)
      const member: Member = { client, onReply: undefined, rest: Buffer.alloc(0) }
      const joined = new Promise<void>((resolve) => {
        member.onReply = resolve
      })
      client.onData((chunk) => onChunk(member, chunk))
      client.send(join)
      await joined
      return member
    }),
  )
  framesBefore = totalFrames()
  replies = 0
  sendReport({ report: "connected" })
}

const writeOne = (member: Member, done: () => void, text?: TextKind): void => {
  member.onReply = done
  member.client.send(push(topic, ++written, text))
}

const write = ({ inFlight, messages, text, writers }: Extract<CrowdCommand, { order: "write" }>): void => {
  const resting = members.slice(0, writers)
  let sent = 0
  let done = 0
  const next = (): void => {
    const member = sent < messages ? resting.shift() : undefined
    if (member === undefined) return
    sent++
    const onReply = () => {
      done++
      resting.push(member)
      if (done === messages) sendReport({ report: "written" })
      else next()
    }
    writeOne(member, onReply, text)
  }
  for (let index = 0; index < inFlight; index++) next()
}

const pace = ({ everyMillis, messages }: Extract<CrowdCommand, { order: "pace" }>): void => {
  let sent = 0
  const timer = setInterval(() => {
    const member = members[sent % members.length]
    if (sent < messages && member !== undefined) {
      sent++
      writeOne(member, () => {})
      return
    }
    clearInterval(timer)
    sendReport({ report: "written" })
  }, everyMillis)
}

/** In milliseconds: the last counts are announced in this time. */
const afterReactions = 1_500

const react = ({ ids, perSecond, seconds }: Extract<CrowdCommand, { order: "react" }>): void => {
  const before = totalFrames()
  const from = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.min(perSecond * seconds, (perSecond * (performance.now() - from)) / 1000)
    for (; sent < due; sent++) {
      const member = members[sent % members.length]
      member?.client.send(reaction(topic, ids[sent % ids.length] ?? "", sent, Math.floor(sent / members.length)))
    }
    if (sent < perSecond * seconds) return
    clearInterval(timer)
    setTimeout(() => {
      const frames = totalFrames() - before
      framesBefore += frames
      sendReport({ report: "reacted", frames })
    }, afterReactions)
  }, 5)
}

let probe: NodeJS.Timeout | undefined
let probedReplies: Array<number> = []

const startProbe = (everyMillis: number): void => {
  probe = setInterval(() => {
    const [member] = members
    // A probe that has no reply yet counts with its whole time.
    if (member === undefined || member.onReply !== undefined) return
    const from = performance.now()
    writeOne(member, () => probedReplies.push(performance.now() - from))
  }, everyMillis)
}

const receive = (broadcasts: number): void => {
  const timer = setInterval(() => checkReceived(), 5)
  checkReceived = () => {
    if (totalFrames() - framesBefore - replies < broadcasts * members.length) return
    clearInterval(timer)
    checkReceived = () => {}
    framesBefore = totalFrames()
    replies = 0
    sendReport({ report: "received", late })
    late = []
    isPaced = false
  }
  checkReceived()
}

process.on("message", (command: CrowdCommand) => {
  switch (command.order) {
    case "connect":
      void connectAll(command)
      break
    case "write":
      write(command)
      break
    case "pace":
      isPaced = true
      if (command.messages > 0) pace(command)
      break
    case "react":
      react(command)
      break
    case "probe":
      startProbe(command.everyMillis)
      break
    case "stop probing":
      clearInterval(probe)
      sendReport({ report: "probed", replies: probedReplies })
      probedReplies = []
      break
    case "receive":
      receive(command.broadcasts)
  }
})
process.on("disconnect", () => process.exit(0))

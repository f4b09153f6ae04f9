/** A channel of one's own: a poll on the topic `poll:{room_id}`. Its votes live as long as the process. */
import { RoomId } from "@armoricore/domain/Ids"
import { Channel, ChannelError } from "@armoricore/realtime"
import { Effect, Ref, Schema } from "effect"

const Tally = Schema.Struct({ yes: Schema.Int, no: Schema.Int })

/** The declaration is the protocol: payloads are checked by it, and clients' types come from it. */
export const channel = Channel.make({
  topic: "poll:{room_id}",
  params: { room_id: RoomId },
  join: { payload: Schema.Struct({}), reply: Tally },
  client: { vote: { payload: Schema.Struct({ answer: Schema.Literals(["yes", "no"]) }), reply: Tally } },
  // A reader that is too slow may lose a tally: the next one has it all.
  server: { tally: { payload: Tally, droppable: true } },
})

interface Poll {
  readonly yes: number
  readonly no: number
  readonly voters: ReadonlySet<string>
}
type Polls = ReadonlyMap<string, Poll>

const emptyPoll: Poll = { yes: 0, no: 0, voters: new Set() }
const tallyOf = ({ no, yes }: Poll) => ({ yes, no })

/** The polls with this vote, or as they are where the user voted already. */
const countVote = (polls: Polls, id: string, userId: string, answer: "yes" | "no"): Polls => {
  const poll = polls.get(id) ?? emptyPoll
  if (poll.voters.has(userId)) return polls
  return new Map(polls).set(id, { ...poll, [answer]: poll[answer] + 1, voters: new Set([...poll.voters, userId]) })
}

export const layer = channel.toLayer(
  Effect.gen(function* () {
    const polls = yield* Ref.make<Polls>(new Map())
    return channel.handlers(
      // Runs at each join. What it returns beside `reply` is the membership's `state`.
      Effect.fnUntraced(function* (room) {
        return { reply: tallyOf((yield* Ref.get(polls)).get(room.params.room_id) ?? emptyPoll) }
      }),
      {
        on: {
          vote: Effect.fnUntraced(function* (room, { answer }) {
            const { room_id: id } = room.params
            const [isNew, poll] = yield* Ref.modify(polls, (now) => {
              const next = countVote(now, id, room.identity.userId, answer)
              return [[next !== now, next.get(id) ?? emptyPoll] as const, next]
            })
            // An expected "no" is a refusal: the client reads its reason.
            if (!isNew) return yield* ChannelError.unauthorized("one vote each")
            const tally = tallyOf(poll)
            yield* room.broadcast("tally", tally)
            return tally
          }),
        },
      },
    )
  }),
)

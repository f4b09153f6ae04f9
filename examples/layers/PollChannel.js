/** A custom channel: a poll on the topic `poll:{room_id}`. The votes are stored in memory. */
import { RoomId } from "@armoricore/domain/Ids";
import { Channel, ChannelError } from "@armoricore/realtime";
import { Effect, Ref, Schema } from "effect";
const Tally = Schema.Struct({ yes: Schema.Int, no: Schema.Int });
/** The declaration is the protocol: it validates the payloads, and the types of handlers and clients derive from it. */
export const channel = Channel.make({
    topic: "poll:{room_id}",
    params: { room_id: RoomId },
    join: { payload: Schema.Struct({}), reply: Tally },
    client: { vote: { payload: Schema.Struct({ answer: Schema.Literals(["yes", "no"]) }), reply: Tally } },
    // A slow client may miss a tally, because each tally replaces the previous one.
    server: { tally: { payload: Tally, droppable: true } },
});
const emptyPoll = { yes: 0, no: 0, voters: new Set() };
const tallyOf = ({ no, yes }) => ({ yes, no });
/** Adds a vote; returns the same polls if the user has already voted. */
const countVote = (polls, id, userId, answer) => {
    const poll = polls.get(id) ?? emptyPoll;
    if (poll.voters.has(userId))
        return polls;
    return new Map(polls).set(id, { ...poll, [answer]: poll[answer] + 1, voters: new Set([...poll.voters, userId]) });
};
export const layer = channel.toLayer(Effect.gen(function* () {
    const polls = yield* Ref.make(new Map());
    return channel.handlers(
    // Runs for each join. Further fields beside `reply` would become the `state` of the membership.
    Effect.fnUntraced(function* (room) {
        return { reply: tallyOf((yield* Ref.get(polls)).get(room.params.room_id) ?? emptyPoll) };
    }), {
        on: {
            vote: Effect.fnUntraced(function* (room, { answer }) {
                const { room_id: id } = room.params;
                const [isNew, poll] = yield* Ref.modify(polls, (current) => {
                    const next = countVote(current, id, room.identity.userId, answer);
                    return [[next !== current, next.get(id) ?? emptyPoll], next];
                });
                // A `ChannelError` is an error reply; the client reads its reason.
                if (!isNew)
                    return yield* ChannelError.unauthorized("one vote each");
                const tally = tallyOf(poll);
                yield* room.broadcast("tally", tally);
                return tally;
            }),
        },
    });
}));

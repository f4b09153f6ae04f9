/** A test channel on `room:{room_id}` with an event for every behaviour of a handler. It writes to `CallLog`. */
import * as Channel from "@armoricore/realtime/channel/Channel";
import { rateLimit } from "@armoricore/realtime/channel/ChannelError";
import { TransientError } from "@armoricore/domain/Errors";
import { RoomId } from "@armoricore/domain/Ids";
import { Context, Effect, Layer, Schema } from "effect";
export class CallLog extends Context.Service()("test/CallLog") {
    static layer = Layer.sync(CallLog, () => []);
}
const Said = Schema.Struct({ text: Schema.String.check(Schema.isMinLength(1)) });
const Empty = Schema.Struct({});
export const channel = Channel.make({
    topic: "room:{room_id}",
    params: { room_id: RoomId },
    join: {
        payload: Schema.Struct({
            how: Schema.optionalKey(Schema.Literals(["refused", "crash", "away", "history"])),
            nick: Schema.optionalKey(Schema.String),
        }),
        reply: Schema.Struct({ room: Schema.String }),
    },
    client: {
        echo: { payload: Said, reply: Said, allowGuests: true },
        nick: { payload: Empty, reply: Said },
        bytes: { payload: Channel.Binary, reply: Channel.Binary },
        say: { payload: Said },
        whisper: { payload: Said },
        shout: { payload: Channel.Binary },
        limited: { payload: Empty },
        away: { payload: Empty },
        crash: { payload: Empty },
        hang: { payload: Empty },
        linger: { payload: Empty },
    },
    server: { said: { payload: Said }, shouted: { payload: Channel.Binary } },
});
const away = new TransientError({ dependency: "state", code: "unavailable", message: "away" });
export const layer = channel.toLayer(Effect.gen(function* () {
    const callLog = yield* CallLog;
    const note = (line) => Effect.sync(() => callLog.push(line));
    const lasting = (line) => Effect.onInterrupt(Effect.never, () => note(line));
    return channel.handlers(Effect.fnUntraced(function* (room, payload) {
        yield* note(`join ${room.params.room_id}`);
        if (payload.how === "refused")
            return yield* rateLimit(5);
        if (payload.how === "away")
            return yield* away;
        if (payload.how === "crash")
            return yield* Effect.die(new Error("join crashes, as asked"));
        if (payload.how === "history") {
            yield* room.broadcast("said", { text: "known" }, { seq: 7 });
            yield* room.broadcast("said", { text: "new" }, { seq: 8 });
            return { reply: { room: room.params.room_id }, upToSeq: 7, nick: "" };
        }
        return { reply: { room: room.params.room_id }, nick: payload.nick ?? "" };
    }), {
        on: {
            echo: (_, payload) => Effect.succeed(payload),
            nick: (room) => Effect.succeed({ text: room.state.nick }),
            bytes: (_, payload) => Effect.succeed(payload),
            say: (room, payload) => room.broadcast("said", payload),
            whisper: (room, payload) => room.broadcast("said", payload, { excludeSelf: true }),
            shout: (room, payload) => room.broadcast("shouted", payload),
            limited: () => Effect.fail(rateLimit(1000)),
            away: () => Effect.fail(away),
            crash: () => Effect.die(new Error("crashes, as asked")),
            hang: () => Effect.andThen(note("hangs"), lasting("hung")),
            linger: () => Effect.asVoid(Effect.forkScoped(lasting("timer ended"))),
        },
        leave: (room) => note(`leave ${room.params.room_id}`),
    });
}));

/**
 * Forwards long-poll requests to the node that owns the session, so that a load balancer needs no sticky sessions. The
 * session's token contains the owner's name. If the owner is gone, or its reply was lost between the nodes, the response is
 * 410 and the client opens a new session.
 */
import { Duration, Effect, Fiber, Schema } from "effect";
import { Cluster } from "./Cluster.ts";
const kinds = { poll: "poll.get", cancel: "poll.cancel", push: "poll.post" };
const Poll = Schema.Struct({ token: Schema.String, id: Schema.String });
const PollResult = Schema.Struct({ status: Schema.Literals([200, 204, 410]), messages: Schema.Array(Schema.String) });
const CancelPoll = Schema.Struct({ id: Schema.String });
const Push = Schema.Struct({
    token: Schema.String,
    lines: Schema.Array(Schema.Struct({ base64: Schema.String, isBinary: Schema.Boolean })),
});
const PushResult = Schema.Literals(["accepted", "busy", "gone"]);
/** Bytes of the lines in one message between nodes, which is base64 and at most 1 MB long. */
const maxPushBytes = 262_144;
/** Groups of lines, in order, with at most {@link maxPushBytes} each, or with one line. */
const inGroups = (lines) => {
    const groups = [];
    let bytes = 0;
    for (const line of lines) {
        const group = groups.at(-1);
        bytes += line.bytes.length;
        if (group !== undefined && bytes <= maxPushBytes)
            group.push(line);
        else {
            groups.push([line]);
            bytes = line.bytes.length;
        }
    }
    return groups.length === 0 ? [[]] : groups;
};
/** `find` returns a session of this node. */
export const make = Effect.fnUntraced(function* (options) {
    const cluster = yield* Cluster;
    const run = Effect.runForkWith(yield* Effect.context());
    /** Waiting polls that other nodes forwarded to this one. */
    const pendingPolls = new Map();
    // The owner replies to an idle poll at the end of its window.
    const replyTimeout = Duration.sum(options.pollWindow, Duration.seconds(3));
    let count = 0;
    yield* cluster.on(kinds.poll, Poll, ({ value: { token, id }, reply }) => {
        const session = options.find(token);
        if (session === undefined)
            return reply({ status: 410, messages: [] });
        const answered = (status, messages) => {
            pendingPolls.delete(id);
            reply({ status, messages });
        };
        pendingPolls.set(id, { session, answer: answered });
        session.poll(answered, options.now());
    });
    yield* cluster.on(kinds.cancel, CancelPoll, ({ value: { id } }) => {
        const waiting = pendingPolls.get(id);
        pendingPolls.delete(id);
        waiting?.session.cancelPoll(waiting.answer);
    });
    yield* cluster.on(kinds.push, Push, ({ value: { token, lines }, reply }) => {
        const session = options.find(token);
        if (session === undefined)
            return reply("gone");
        session.push(lines.map(({ base64, isBinary }) => ({ bytes: Buffer.from(base64, "base64"), isBinary })), (isAccepted) => reply(isAccepted ? "accepted" : session.isGone ? "gone" : "busy"));
    });
    const remote = (node, token) => {
        let isGone = false;
        const sentPolls = new Map();
        return {
            poll: (answer) => {
                const id = `${cluster.node}.${++count}`;
                const fiber = run(Effect.map(cluster.request(node, kinds.poll, { token, id }, PollResult, replyTimeout), (answered) => {
                    sentPolls.delete(answer);
                    if (answered !== undefined)
                        answer(answered.status, answered.messages);
                    // Messages may be lost with the reply: 410 makes the client rejoin and recover them.
                    else
                        answer(410, []);
                }));
                sentPolls.set(answer, { id, fiber });
            },
            cancelPoll: (answer) => {
                const waiting = sentPolls.get(answer);
                if (waiting === undefined)
                    return;
                sentPolls.delete(answer);
                run(Effect.andThen(Fiber.interrupt(waiting.fiber), cluster.send(node, kinds.cancel, { id: waiting.id })));
            },
            push: (lines, done) => {
                const pushGroup = (group) => {
                    const sent = group.map(({ bytes, isBinary }) => ({ base64: bytes.toString("base64"), isBinary }));
                    return cluster.request(node, kinds.push, { token, lines: sent }, PushResult, replyTimeout);
                };
                run(Effect.gen(function* () {
                    for (const group of inGroups(lines)) {
                        const pushed = yield* pushGroup(group);
                        if (pushed === "accepted")
                            continue;
                        isGone = pushed === "gone" || (pushed === undefined && !cluster.otherNodes().includes(node));
                        return done(false);
                    }
                    done(true);
                }));
            },
            get isGone() {
                return isGone;
            },
        };
    };
    return {
        /** Another node's session; `undefined` if that node is not live. */
        session: (token) => {
            const node = token.split(".")[1] ?? "";
            return cluster.otherNodes().includes(node) ? remote(node, token) : undefined;
        },
        node: cluster.node,
    };
});

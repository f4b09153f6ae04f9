/**
 * The rate limit of comments: one allowance per user over all sockets, streams and nodes. Rendezvous hashing chooses the
 * node that counts for a user; the other nodes send it a request. If that node does not reply in time, or the bus is
 * disconnected, the requesting node counts locally.
 */
import { Clock, Context, Duration, Effect, Layer, Schedule, Schema } from "effect";
import { Cluster } from "../cluster/Cluster.ts";
import { ownerOf } from "../cluster/Rendezvous.ts";
import * as MonotonicClock from "@armoricore/worker/MonotonicClock";
import { ClientUsage } from "../socket/UsageLimits.ts";
const messageKind = "comment.rate";
/** How long a comment waits for the node that counts. */
const replyTimeout = Duration.millis(500);
export class CommentRateLimit extends Context.Service()("@armoricore/realtime/CommentRateLimit") {
    static layer = (rate = { perSecond: 1, burst: 1 }) => Layer.effect(CommentRateLimit, Effect.gen(function* () {
        const cluster = yield* Cluster;
        const clock = yield* Clock.Clock;
        const users = new Map();
        const sweep = Effect.sync(() => {
            const now = MonotonicClock.millis(clock);
            for (const user of users.values())
                if (user.isIdle(now))
                    users.delete(user.key);
        });
        yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced("10 seconds")));
        const takeLocally = (userId) => {
            const user = users.get(userId) ?? new ClientUsage(userId);
            users.set(userId, user);
            return user.consumeMessages(rate, MonotonicClock.millis(clock));
        };
        yield* cluster.on(messageKind, Schema.String, ({ value, reply }) => reply(takeLocally(value)));
        return {
            take: (userId) => Effect.suspend(() => {
                const owner = ownerOf(userId, [cluster.node, ...cluster.otherNodes()]);
                if (owner === cluster.node || !cluster.isConnected())
                    return Effect.sync(() => takeLocally(userId));
                return Effect.map(cluster.request(owner, messageKind, userId, Schema.Finite, replyTimeout), (wait) => wait ?? takeLocally(userId));
            }),
        };
    }));
}

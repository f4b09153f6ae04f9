/**
 * Cluster-wide limits of a user: combines the GCRA counters of all nodes. Each node counts locally, so no message waits for
 * another node. At every interval a node reports the significant users to the node that owns their account (by rendezvous
 * hashing), which replies with the user's total debt and the number of sockets on other nodes.
 *
 * In the long run a user has one allowance for the whole cluster; a burst may use one allowance per node. A node that is
 * partitioned, or whose owner crashed, applies its local counters until the next owner replies. A debt decreases with time,
 * so a lost message blocks no user for long.
 */
import { Clock, Duration, Effect, Schedule, Schema } from "effect";
import * as MonotonicClock from "@armoricore/worker/MonotonicClock";
import { Cluster } from "./Cluster.ts";
import { ownerOf } from "./Rendezvous.ts";
const kinds = { report: "usage.report", total: "usage.total" };
/** User, messages and joins since the last report, current sockets. */
const Reports = Schema.Array(Schema.Tuple([Schema.String, Schema.Int, Schema.Int, Schema.Int]));
/** User, milliseconds until the message and join allowances are full again, sockets on other nodes. */
const Totals = Schema.Array(Schema.Tuple([Schema.String, Schema.Finite, Schema.Finite, Schema.Int]));
/** A node's socket count expires after this many intervals without a report. */
const maxMissedReports = 3;
/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* (usage, limits) {
    const cluster = yield* Cluster;
    if (!cluster.isClustered)
        return;
    const clock = yield* Clock.Clock;
    const fork = Effect.runForkWith(yield* Effect.context());
    const intervalMillis = Duration.toMillis(limits.sweepInterval);
    const accounts = new Map();
    const recordReport = (from, [user, messages, joins, sockets]) => {
        const now = MonotonicClock.millis(clock);
        const account = accounts.get(user) ?? { messagesReplenishedAt: 0, joinsReplenishedAt: 0, sockets: new Map() };
        accounts.set(user, account);
        // The usage is spread over the past interval, in which the allowance was replenished too.
        const spend = (replenishedAt, count, rate) => count === 0 ? replenishedAt : Math.max(replenishedAt, now - intervalMillis) + (count * 1000) / rate.perSecond;
        account.messagesReplenishedAt = spend(account.messagesReplenishedAt, messages, limits.userMessages);
        account.joinsReplenishedAt = spend(account.joinsReplenishedAt, joins, limits.userJoins);
        account.sockets.set(from, { count: sockets, missedReports: 0 });
        let elsewhere = 0;
        for (const [node, { count }] of account.sockets)
            if (node !== from)
                elsewhere += count;
        return [
            user,
            Math.max(0, account.messagesReplenishedAt - now),
            Math.max(0, account.joinsReplenishedAt - now),
            elsewhere,
        ];
    };
    const applyTotals = (totals) => {
        const now = MonotonicClock.millis(clock);
        for (const [user, messages, joins, remoteSockets] of totals) {
            usage.user(user)?.applyClusterTotals({
                messagesReplenishedAt: now + messages,
                joinsReplenishedAt: now + joins,
                remoteSockets,
            });
        }
    };
    /** Usage below half of an even share is not reported: all nodes together stay below half of the limit. */
    const reportOf = (user, share) => {
        const { messages, joins } = user.takeUsage();
        const isSignificant = messages * 1000 >= limits.userMessages.perSecond * intervalMillis * share ||
            joins * 1000 >= limits.userJoins.perSecond * intervalMillis * share ||
            user.sockets >= limits.maxSocketsPerUser * share;
        return isSignificant && messages + joins + user.sockets > 0 ? [user.key, messages, joins, user.sockets] : undefined;
    };
    const expireAccounts = () => {
        const now = MonotonicClock.millis(clock);
        for (const [user, { messagesReplenishedAt, joinsReplenishedAt, sockets }] of accounts) {
            for (const [node, report] of sockets)
                if (++report.missedReports > maxMissedReports)
                    sockets.delete(node);
            if (sockets.size === 0 && messagesReplenishedAt <= now && joinsReplenishedAt <= now)
                accounts.delete(user);
        }
    };
    const exchange = Effect.suspend(() => {
        expireAccounts();
        const nodes = [cluster.node, ...cluster.otherNodes()];
        const share = 1 / (2 * nodes.length);
        const reports = new Map();
        for (const user of usage.users()) {
            const report = reportOf(user, share);
            if (report === undefined || nodes.length === 1 || !cluster.isConnected()) {
                user.remoteSockets = 0;
                continue;
            }
            const owner = ownerOf(user.key, nodes);
            const ownerReports = reports.get(owner);
            if (ownerReports === undefined)
                reports.set(owner, [report]);
            else
                ownerReports.push(report);
        }
        applyTotals((reports.get(cluster.node) ?? []).map((report) => recordReport(cluster.node, report)));
        reports.delete(cluster.node);
        return Effect.forEach(reports, ([owner, batch]) => cluster.send(owner, kinds.report, batch), { discard: true });
    });
    yield* cluster.on(kinds.report, Reports, ({ from, value }) => {
        fork(cluster.send(from, kinds.total, value.map((report) => recordReport(from, report))));
    });
    yield* cluster.onNodeChange((change, node) => {
        if (change !== "joined")
            for (const { sockets } of accounts.values())
                sockets.delete(node);
    });
    yield* cluster.on(kinds.total, Totals, ({ value }) => applyTotals(value));
    yield* Effect.forkScoped(Effect.schedule(exchange, Schedule.spaced(limits.sweepInterval)));
});

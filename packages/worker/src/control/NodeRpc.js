import { Clock, Context, Duration, Effect, FiberSet, Layer, Schema } from "effect";
import { hostname } from "node:os";
import * as ClusterMembership from "./ClusterMembership.ts";
/** A process, as the others know it. */
export const NodeDescriptor = Schema.Struct({
    /** Unique, and never reused. */
    node: Schema.String,
    host: Schema.String,
    pid: Schema.Int,
    /** The services that it runs: `media`, `realtime`, … */
    services: Schema.Array(Schema.String),
    version: Schema.String,
    /** Epoch milliseconds. */
    started_at: Schema.Finite,
});
export class NodeRpc extends Context.Service()("@armoricore/worker/NodeRpc") {
    static layer = (options) => Layer.effect(NodeRpc, make(options));
}
/** Group of the membership; every role of the installation is in it. */
const group = "control";
const departedRetentionMillis = 86_400_000;
const maxDeparted = 100;
const callKind = "call";
const Call = Schema.Struct({
    procedure: Schema.String,
    /** Absent where the request is `void`: JSON drops it. */
    value: Schema.optional(Schema.Unknown),
});
const CallResult = Schema.Union([
    Schema.TaggedStruct("Success", { value: Schema.optional(Schema.Unknown) }),
    Schema.TaggedStruct("Failure", { message: Schema.String }),
    Schema.TaggedStruct("NoResponder", {}),
]);
const make = Effect.fnUntraced(function* (options) {
    const timeout = options.timeout ?? Duration.seconds(2);
    const self = {
        node: `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 4)}`,
        host: hostname(),
        pid: process.pid,
        services: options.services,
        version: options.version,
        started_at: yield* Clock.currentTimeMillis,
    };
    const directory = makeDirectory(yield* Clock.Clock);
    const membership = yield* ClusterMembership.make({
        group,
        node: self.node,
        heartbeatFields: {
            descriptor: ClusterMembership.heartbeatField(NodeDescriptor, () => self, directory.recordDescriptor),
        },
    });
    yield* membership.onNodeChange(directory.recordChange);
    const responders = new Map();
    const fork = yield* FiberSet.makeRuntime();
    const respondTo = (procedure, value) => Effect.suspend(() => responders.get(procedure)?.(value) ?? Effect.succeed({ _tag: "NoResponder" }));
    // Each call runs in its own fiber, so that a slow responder does not delay the others.
    yield* membership.on(callKind, Call, ({ value: { procedure, value }, reply }) => {
        fork(Effect.map(respondTo(procedure, value), reply));
    });
    const service = {
        self,
        nodes: Effect.sync(() => [self, ...directory.live()]),
        departed: Effect.map(Clock.currentTimeMillis, (now) => directory.departed().filter(({ lastSeenAt }) => now - lastSeenAt < departedRetentionMillis)),
        // Untraced: a span of the registration would be in the captured context, and so the parent of every later reply.
        respond: Effect.fnUntraced(function* (procedure, respond) {
            const context = yield* Effect.context();
            const responder = makeResponder(procedure, (request) => Effect.provideContext(respond(request), context));
            yield* Effect.acquireRelease(Effect.sync(() => void responders.set(procedure.kind, responder)), () => Effect.sync(() => {
                if (responders.get(procedure.kind) === responder)
                    responders.delete(procedure.kind);
            }));
        }),
        call: Effect.fn("NodeRpc.call")(function* (procedure, request, only) {
            // The request is this process's own value: if it does not encode, the caller has a bug.
            const value = yield* Effect.orDie(Schema.encodeEffect(procedure.request)(request));
            const others = membership.otherNodes();
            const nodes = only === undefined ? others : others.filter((node) => node === only);
            const [remote, own] = yield* Effect.all([
                membership.requestAll(callKind, { procedure: procedure.kind, value }, CallResult, { nodes, timeout }),
                only === undefined || only === self.node ? respondTo(procedure.kind, value) : Effect.undefined,
            ], { concurrency: "unbounded" });
            const results = own === undefined ? remote.replies : [...remote.replies, { node: self.node, value: own }];
            return { ...(yield* decodeResults(procedure, results)), unresponsive: remote.unresponsive };
        }),
    };
    return service;
});
/** Descriptors of the live processes, from their heartbeats, and of the departed ones. */
const makeDirectory = (clock) => {
    const live = new Map();
    const departed = new Map();
    return {
        live: () => Array.from(live.values(), ({ descriptor }) => descriptor),
        departed: () => [...departed.values()],
        recordDescriptor: (node, descriptor) => {
            departed.delete(node);
            live.set(node, { descriptor, lastSeenAt: clock.currentTimeMillisUnsafe() });
        },
        recordChange: (change, node) => {
            const peer = live.get(node);
            if (change === "joined" || peer === undefined)
                return;
            live.delete(node);
            const graceful = change === "left";
            departed.set(node, { ...peer, graceful, ...(graceful ? { lastSeenAt: clock.currentTimeMillisUnsafe() } : {}) });
            const [oldest] = departed.keys();
            if (departed.size > maxDeparted && oldest !== undefined)
                departed.delete(oldest);
        },
    };
};
const makeResponder = (procedure, respond) => {
    const decode = Schema.decodeUnknownEffect(procedure.request);
    const encode = Schema.encodeEffect(procedure.reply);
    return (value) => decode(value).pipe(Effect.flatMap(respond), Effect.flatMap(encode), Effect.match({
        onSuccess: (encoded) => ({ _tag: "Success", value: encoded }),
        onFailure: (error) => ({ _tag: "Failure", message: error.message }),
    }));
};
const decodeResults = Effect.fnUntraced(function* (procedure, results) {
    const decode = Schema.decodeUnknownEffect(procedure.reply);
    const replies = [];
    const failures = [];
    for (const { node, value: result } of results) {
        if (result._tag === "Failure")
            failures.push({ node, message: result.message });
        if (result._tag !== "Success")
            continue;
        const value = yield* Effect.result(decode(result.value));
        if (value._tag === "Success")
            replies.push({ node, value: value.success });
        // During a rolling update, another version may reply in another format.
        else
            failures.push({ node, message: `unknown reply format: ${value.failure.message}` });
    }
    return { replies, failures };
});

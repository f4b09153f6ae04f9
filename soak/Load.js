/**
 * Something of everything, a little of it, for as long as the scope: sockets that chat, comment, come and go; uploads
 * that become streams; notifications; events with a fault that become dead letters.
 */
import { Tokens } from "@armoricore/auth/Tokens";
import { Duration, Effect, Schedule, Schema } from "effect";
import { WebSocket } from "ws";
import { SoakError } from "./ProgramProcess.ts";
export const emptyCounts = () => ({
    uploads: 0,
    streams: 0,
    chats: 0,
    deliveries: 0,
    comments: 0,
    notifications: 0,
    notificationsReported: 0,
    invalidEvents: 0,
    connects: 0,
});
const UploadGrant = Schema.Struct({
    media_id: Schema.String,
    file_path: Schema.String,
    upload_url: Schema.String,
    method: Schema.String,
    headers: Schema.Record(Schema.String, Schema.String),
});
export const run = Effect.fnUntraced(function* ({ clip, counts, url, users }) {
    const tokens = yield* Tokens;
    const tokenOf = (userId, roles = []) => tokens.sign({ userId, roles, ttl: Duration.hours(12) });
    const publisher = yield* tokenOf("shop", ["publisher"]);
    const post = Effect.fnUntraced(function* (path, token, body) {
        const response = yield* Effect.tryPromise({
            try: async () => {
                const answer = await fetch(url + path, {
                    method: "POST",
                    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
                    body: JSON.stringify(body),
                });
                return { status: answer.status, json: (await answer.json()) };
            },
            catch: (cause) => new SoakError({ message: `POST ${path}: ${String(cause)}` }),
        });
        if (response.status >= 300 && response.status !== 422) {
            return yield* new SoakError({ message: `POST ${path}: ${response.status} ${JSON.stringify(response.json)}` });
        }
        return response.json;
    });
    const publish = (type, payload) => post("/v1/events", publisher, {
        event_type: type,
        event_id: crypto.randomUUID(),
        timestamp: new Date().toISOString(),
        source: "php-backend",
        payload,
    });
    const upload = Effect.gen(function* () {
        const user = "user-0";
        const wanted = { filename: "clip.mp4", content_type: "video/mp4", size: clip.byteLength };
        const grant = yield* Schema.decodeUnknownEffect(UploadGrant)(yield* post("/v1/uploads", yield* tokenOf(user), wanted));
        yield* Effect.tryPromise({
            try: () => fetch(grant.upload_url, { method: grant.method, headers: grant.headers, body: clip }),
            catch: (cause) => new SoakError({ message: `upload: ${String(cause)}` }),
        });
        yield* publish("media.uploaded", { media_id: grant.media_id, user_id: user, file_path: grant.file_path });
        counts.uploads++;
    });
    const notify = Effect.gen(function* () {
        yield* publish("notification.requested", {
            user_id: "user-0",
            notification_type: "email",
            title: "Soak",
            body: "still here",
            recipients: [{ email: `someone-${counts.notifications % 50}@example.com` }],
        });
        counts.notifications++;
    });
    const faulty = Effect.gen(function* () {
        yield* publish("media.uploaded", { media_id: "m", user_id: "u" });
        counts.invalidEvents++;
    });
    const visit = (index) => Effect.scoped(Effect.gen(function* () {
        const socket = yield* connect(url, yield* tokenOf(`user-${index}`), counts);
        const room = index % 4;
        const topics = [`chat:room:${room}`, `presence:room:${room}`, `comments:stream:${room}`, `user:user-${index}`];
        for (const topic of topics)
            socket.push(topic, "phx_join", {});
        counts.connects++;
        let said = 0;
        yield* Effect.sync(() => {
            said++;
            if (said % 3 === 0)
                socket.push(`comments:stream:${room}`, "new_comment", { content: `comment ${said}` });
            else
                socket.push(`chat:room:${room}`, "new_message", {
                    content: `message ${said}`,
                    client_id: crypto.randomUUID(),
                });
            if (said % 3 === 0)
                counts.comments++;
            else
                counts.chats++;
        }).pipe(Effect.repeat(Schedule.max([Schedule.spaced("2 seconds"), Schedule.recurs(10 + (index % 7))])));
    })).pipe(Effect.forever);
    const every = (work, pause) => Effect.repeat(work, Schedule.spaced(pause));
    return yield* Effect.all([
        every(upload, "6 seconds"),
        every(notify, "500 millis"),
        every(faulty, "20 seconds"),
        ...Array.from({ length: users }, (_, index) => visit(index)),
    ], { concurrency: "unbounded", discard: true });
});
const connect = (url, token, counts) => Effect.acquireRelease(Effect.callback((resume) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/socket/websocket?vsn=2.0.0&token=${token}`);
    let ref = 0;
    socket.on("message", (data) => {
        const text = String(data);
        if (text.includes('"new_message"'))
            counts.deliveries++;
        if (text.includes('"media_ready"') && text.includes('"user:user-0"'))
            counts.streams++;
        if (text.includes('"notification_sent"'))
            counts.notificationsReported++;
    });
    socket.on("error", (cause) => resume(Effect.fail(new SoakError({ message: `socket: ${cause.message}` }))));
    socket.on("open", () => resume(Effect.succeed({
        push: (topic, event, payload) => {
            ref++;
            socket.send(JSON.stringify([topic, String(ref), topic, event, payload]));
        },
        close: () => socket.close(),
    })));
}), ({ close }) => Effect.sync(close));

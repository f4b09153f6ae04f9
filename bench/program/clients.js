/**
 * A crowd of clients in a process of its own, so that their CPU is not the server's. They are plain TCP connections that
 * count frames without decoding them.
 */
import { connect } from "../realtime/RawClient.ts";
import { push, timeMarker } from "./Protocol.ts";
const reply = Buffer.from('"phx_reply"');
const marker = Buffer.from(timeMarker);
let members = [];
let topic = "";
let written = 0;
/** Frames before the last order, and replies since then. */
let framesBefore = 0;
let replies = 0;
let late = [];
let isPaced = false;
let checkReceived = () => { };
const sendReport = (report) => void process.send?.(report);
const totalFrames = () => members.reduce((sum, { client }) => sum + client.frames(), 0);
const onChunk = (member, chunk) => {
    if (isPaced) {
        const at = chunk.lastIndexOf(marker);
        const sentAt = at === -1 ? Number.NaN : Number(chunk.toString("latin1", at + marker.length, at + marker.length + 17));
        if (sentAt > 0)
            late.push(performance.timeOrigin + performance.now() - sentAt);
    }
    if (member.onReply === undefined)
        return;
    const bytes = member.rest.length === 0 ? chunk : Buffer.concat([member.rest, chunk]);
    if (bytes.includes(reply)) {
        const { onReply } = member;
        member.onReply = undefined;
        member.rest = Buffer.alloc(0);
        replies++;
        onReply();
    }
    else
        member.rest = Buffer.from(bytes.subarray(-reply.length));
};
const connectAll = async (command) => {
    for (const { client } of members)
        client.disconnect();
    topic = command.topic;
    const join = JSON.stringify(["1", "1", topic, "phx_join", { last: 10 }]);
    members = await Promise.all(command.tokens.map(async (token, index) => {
        const client = await connect("armoricore", command.port, token, `127.0.0.${2 + (index % 8)}`);
        const member = { client, onReply: undefined, rest: Buffer.alloc(0) };
        const joined = new Promise((resolve) => {
            member.onReply = resolve;
        });
        client.onData((chunk) => onChunk(member, chunk));
        client.send(join);
        await joined;
        return member;
    }));
    framesBefore = totalFrames();
    replies = 0;
    sendReport({ report: "connected" });
};
const writeOne = (member, done, text) => {
    member.onReply = done;
    member.client.send(push(topic, ++written, text));
};
const write = ({ inFlight, messages, text, writers }) => {
    const resting = members.slice(0, writers);
    let sent = 0;
    let done = 0;
    const next = () => {
        const member = sent < messages ? resting.shift() : undefined;
        if (member === undefined)
            return;
        sent++;
        const onReply = () => {
            done++;
            resting.push(member);
            if (done === messages)
                sendReport({ report: "written" });
            else
                next();
        };
        writeOne(member, onReply, text);
    };
    for (let index = 0; index < inFlight; index++)
        next();
};
const pace = ({ everyMillis, messages }) => {
    let sent = 0;
    const timer = setInterval(() => {
        const member = members[sent % members.length];
        if (sent < messages && member !== undefined) {
            sent++;
            writeOne(member, () => { });
            return;
        }
        clearInterval(timer);
        sendReport({ report: "written" });
    }, everyMillis);
};
let probe;
let probedReplies = [];
const startProbe = (everyMillis) => {
    probe = setInterval(() => {
        const [member] = members;
        // A probe that has no reply yet counts with its whole time.
        if (member === undefined || member.onReply !== undefined)
            return;
        const from = performance.now();
        writeOne(member, () => probedReplies.push(performance.now() - from));
    }, everyMillis);
};
const receive = (broadcasts) => {
    const timer = setInterval(() => checkReceived(), 5);
    checkReceived = () => {
        if (totalFrames() - framesBefore - replies < broadcasts * members.length)
            return;
        clearInterval(timer);
        checkReceived = () => { };
        framesBefore = totalFrames();
        replies = 0;
        sendReport({ report: "received", late });
        late = [];
        isPaced = false;
    };
    checkReceived();
};
process.on("message", (command) => {
    switch (command.order) {
        case "connect":
            void connectAll(command);
            break;
        case "write":
            write(command);
            break;
        case "pace":
            isPaced = true;
            if (command.messages > 0)
                pace(command);
            break;
        case "probe":
            startProbe(command.everyMillis);
            break;
        case "stop probing":
            clearInterval(probe);
            sendReport({ report: "probed", replies: probedReplies });
            probedReplies = [];
            break;
        case "receive":
            receive(command.broadcasts);
    }
});
process.on("disconnect", () => process.exit(0));

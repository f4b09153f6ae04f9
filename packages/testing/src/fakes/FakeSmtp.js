/**
 * An SMTP server for tests, on `smtp-server`. The recipient's local part decides what happens to a mail:
 *
 * | begins with | what happens |
 * |---|---|
 * | `busy` | 451 at RCPT for the first mail, then accepted |
 * | `shutdown` | 421 at RCPT for the first mail, then accepted |
 * | `nobody` | 550 5.1.1 at RCPT |
 * | `disabled` | 550 5.2.1 at RCPT for the first mail, then accepted |
 * | `foreign` | 454 4.7.1 at RCPT: relay access denied |
 * | `refused` | 550 5.7.1 after DATA |
 * | `drop` | the connection is cut after the message was complete, before the answer; the mail is stored |
 * | `silent` | the mail is stored, and the first one gets no answer |
 * | `early` | the connection is cut at DATA, before the message, for the first mail |
 */
import { Context, Effect, Layer, Redacted } from "effect";
import { SMTPServer } from "smtp-server";
import * as TestCertificate from "./TestCertificate.ts";
export class FakeSmtp extends Context.Service()("@armoricore/testing/FakeSmtp") {
    static layer = Layer.effect(FakeSmtp, Effect.suspend(() => make()));
    /** With the certificate of `TestCertificate`, whose authority is itself: from the first byte, or by STARTTLS. */
    static layerTls = (from) => FakeSmtp.layerWith({ tls: from });
    static layerWith = (options) => Layer.effect(FakeSmtp, make(options));
}
const make = Effect.fnUntraced(function* ({ tls, withoutLogin, withoutUtf8 } = {}) {
    const received = [];
    const attemptedRecipients = [];
    const usedTls = [];
    const seen = new Set();
    const sockets = new Map();
    const firstTime = (address) => !seen.has(address) && seen.add(address) !== undefined;
    const dropConnection = (session) => {
        for (const [address, socket] of sockets)
            if (address.endsWith(`:${session.remotePort}`))
                socket.destroy();
    };
    const server = new SMTPServer({
        authOptional: withoutLogin === true,
        hideSMTPUTF8: withoutUtf8 === true,
        ...(tls === undefined ? {} : { cert: TestCertificate.certificate, key: TestCertificate.privateKey }),
        secure: tls === "smtps",
        disabledCommands: tls === "starttls" ? [] : ["STARTTLS"],
        allowInsecureAuth: true,
        logger: false,
        onAuth: (auth, _session, callback) => {
            if (fake.acceptLogins && auth.username === "user" && auth.password === "secret") {
                return callback(null, { user: "user" });
            }
            callback(Object.assign(new Error("5.7.8 Authentication credentials invalid"), { responseCode: 535 }));
        },
        onRcptTo: ({ address }, _session, callback) => {
            attemptedRecipients.push(address);
            const refuse = (responseCode, message) => callback(Object.assign(new Error(message), { responseCode }));
            if (fake.rejectAll !== undefined)
                return refuse(Number(fake.rejectAll.slice(0, 3)), fake.rejectAll.slice(4));
            if (address.startsWith("disabled") && firstTime(address))
                return refuse(550, "5.2.1 Mailbox disabled");
            if (address.startsWith("foreign"))
                return refuse(454, "4.7.1 Relay access denied");
            if (address.startsWith("nobody"))
                return refuse(550, "5.1.1 No such user here");
            if (address.startsWith("busy") && firstTime(address))
                return refuse(451, "4.7.1 Greylisted, come again");
            if (address.startsWith("shutdown") && firstTime(address))
                return refuse(421, "4.3.2 Shutting down");
            callback();
        },
        onData: (stream, session, callback) => {
            const to = session.envelope.rcptTo[0]?.address ?? "";
            if (to.startsWith("early") && firstTime(to))
                return dropConnection(session);
            const chunks = [];
            stream.on("data", (chunk) => chunks.push(chunk));
            stream.on("end", () => {
                const raw = Buffer.concat(chunks).toString();
                if (to.startsWith("refused")) {
                    return callback(Object.assign(new Error("5.7.1 Looks like spam"), { responseCode: 550 }));
                }
                const { mailFrom } = session.envelope;
                received.push({
                    from: mailFrom === false ? "" : mailFrom.address,
                    to,
                    recipients: session.envelope.rcptTo.map(({ address }) => address),
                    raw,
                    messageId: /^message-id:\s*(<[^>]+>)/im.exec(raw)?.[1] ?? "",
                });
                usedTls.push(session.secure);
                if (to.startsWith("drop"))
                    return dropConnection(session);
                if (to.startsWith("silent") && firstTime(to))
                    return;
                callback();
            });
        },
    });
    server.on("error", () => { });
    server.server.on("connection", (socket) => {
        const key = `${socket.remoteAddress}:${socket.remotePort}`;
        sockets.set(key, socket);
        socket.on("close", () => sockets.delete(key));
        socket.on("error", () => { });
    });
    const port = yield* Effect.acquireRelease(Effect.callback((resume) => {
        const listening = server.listen(0, "127.0.0.1", () => {
            const address = listening.address();
            resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0));
        });
    }), () => Effect.callback((resume) => {
        server.close(() => resume(Effect.void));
        for (const socket of sockets.values())
            socket.destroy();
    }));
    const fake = {
        url: Redacted.make(`${tls === "smtps" ? "smtps" : "smtp"}://${withoutLogin === true ? "" : "user:secret@"}127.0.0.1:${port}`),
        received,
        usedTls,
        attemptedRecipients,
        acceptLogins: true,
        rejectAll: undefined,
    };
    return fake;
});

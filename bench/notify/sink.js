/**
 * The other side of `bench/notify`, in a process of its own: takes every push and every mail, and says so. It has a
 * second server for pushes that answers after {@link slowMillis}.
 */
import { certificate, privateKey } from "@armoricore/testing/fakes/TestCertificate";
import * as Http2 from "node:http2";
import { SMTPServer } from "smtp-server";
const portOf = (address) => typeof address === "object" && address !== null ? address.port : 0;
/** About the round trip of a real provider. */
const slowMillis = 80;
const pushServer = (millis) => {
    const server = Http2.createSecureServer({ key: privateKey, cert: certificate });
    server.on("stream", (stream, headers) => {
        stream.on("error", () => { });
        stream.resume();
        const answer = () => {
            if (stream.destroyed)
                return;
            stream.respond({ ":status": 200, "apns-id": String(headers["apns-id"] ?? "") });
            stream.end();
        };
        stream.on("end", () => (millis === 0 ? answer() : setTimeout(answer, millis)));
    });
    return server;
};
const pushes = pushServer(0);
const slowPushes = pushServer(slowMillis);
const mails = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    logger: false,
    onData: (stream, _session, callback) => {
        stream.resume();
        stream.on("end", () => callback());
    },
});
mails.on("error", () => { });
pushes.listen(0, "127.0.0.1", () => {
    slowPushes.listen(0, "127.0.0.1", () => {
        const server = mails.listen(0, "127.0.0.1", () => {
            process.send?.({
                push: portOf(pushes.address()),
                slowPush: portOf(slowPushes.address()),
                mail: portOf(server.address()),
            });
        });
    });
});
process.on("disconnect", () => process.exit(0));

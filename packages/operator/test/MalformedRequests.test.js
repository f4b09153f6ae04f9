/** What the wire is sent that no client of ours would send: it is answered, and the next one is served. */
import { assert, describe, it } from "@effect/vitest";
import { Effect, Logger } from "effect";
import { once } from "node:events";
import { WebSocket } from "ws";
import { api, startServer, tokenFor } from "./support/OperatorHarness.ts";
const request = (tag, payload, extra = {}) => `${JSON.stringify({ _tag: "Request", id: "1", tag, payload, headers: [], ...extra })}\n`;
const testServer = (title, run) => it.live(title, () => Effect.gen(function* () {
    const port = yield* startServer();
    const token = yield* tokenFor("op", { roles: ["operator"] });
    yield* Effect.promise(() => run(port, token));
}).pipe(Effect.scoped, Effect.provide(api), Effect.provide(Logger.layer([]))));
const post = async (port, body, headers = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/rpc`, { method: "POST", body, headers });
    return { status: response.status, text: await response.text(), headers: response.headers };
};
/** Payloads that are none. */
const malformedPayloads = {
    "wrong types": request("Kick", { user_id: 5, reason: {} }),
    "a reason that is too long": request("Kick", { user_id: "a", reason: "x".repeat(300) }),
    "deep nesting": request("ListJobs", 0).replace("0,", `${"[".repeat(50_000)}${"]".repeat(50_000)},`),
};
const malformedRequests = {
    ...malformedPayloads,
    nothing: "",
    "no JSON": "\u0000 garbage\n",
    "JSON that is no message": "[1,2]\nnull\n5\n{}\n",
    "an unknown procedure": request("DropTables", {}),
    "a name that every object has": request("__proto__", {}),
    "an id that is no id": request("WhoAmI", null, { id: {} }),
    "headers that are none": request("WhoAmI", null, { headers: [[1, {}]] }),
    "the end of a request that never began": `${JSON.stringify({ _tag: "Interrupt", requestId: "9" })}\n`,
};
describe("hostile input", () => {
    testServer("is answered, does nothing, and the next caller is served", async (port, token) => {
        const headers = { authorization: `Bearer ${token}` };
        for (const [name, body] of Object.entries(malformedRequests)) {
            const { status, text } = await post(port, body, headers);
            assert.strictEqual(status, 200, name);
            assert.notInclude(text, '"Success"', name);
        }
        assert.strictEqual((await post(port, "x".repeat(5_000_000), headers)).status, 413);
        const { text } = await post(port, request("WhoAmI", null), headers);
        assert.include(text, '"user_id":"op"');
        const audit = await post(port, request("ListAudit", {}), headers);
        assert.include(audit.text, '"value":[]');
    });
    testServer("denies a malformed request without the role before it reveals details", async (port, token) => {
        const calls = { ...malformedPayloads, "an unknown procedure": request("DropTables", {}) };
        const socket = new WebSocket(`ws://127.0.0.1:${port}/rpc`);
        await once(socket, "open");
        for (const [name, body] of Object.entries(calls)) {
            const { text } = await post(port, body, { authorization: "Bearer x.y.z" });
            socket.send(body);
            const [received] = await once(socket, "message");
            for (const [answer, reason] of [
                [text, "invalid"],
                [String(received), "missing"],
            ]) {
                assert.include(answer, `"_tag":"AccessDenied","reason":"${reason}"`, name);
                assert.notInclude(answer, '"Die"', name);
                assert.include(answer, '"requestId":"1"', name);
            }
        }
        // One that wants no answer gets none, and is written down all the same.
        const quiet = request("Kick", 5, { isNotification: true });
        assert.strictEqual((await post(port, quiet)).text, "");
        socket.terminate();
        const { text } = await post(port, request("ListAudit", {}), { authorization: `Bearer ${token}` });
        const acts = Array.from(text.matchAll(/"action":"([^"]+)"/g), ([, act]) => act);
        assert.sameMembers(acts, ["Kick", "Kick", "Kick", "Kick", "ListJobs", "ListJobs", "(unknown)", "(unknown)", "Kick"]);
        assert.notInclude(text, "xxx");
    });
    testServer("another site can read nothing, and has no cookie to ride on", async (port) => {
        const { headers, text } = await post(port, request("WhoAmI", null), {
            origin: "https://evil.example",
            "content-type": "text/plain",
            cookie: "token=anything",
        });
        assert.include(text, '"reason":"missing"');
        assert.isNull(headers.get("access-control-allow-origin"));
    });
    testServer("a line sent in crumbs to a socket held up the process for a minute", async (port, token) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/rpc`);
        await once(socket, "open");
        const answers = [];
        socket.on("message", (data) => answers.push(String(data)));
        socket.send("x".repeat(1_000_000));
        for (let crumb = 0; crumb < 100; crumb++)
            socket.send("x");
        socket.send(request("WhoAmI", null, { headers: [["authorization", `Bearer ${token}`]] }));
        while (!answers.some((answer) => answer.includes('"user_id":"op"')))
            await once(socket, "message");
        // Each piece was rejected, and none was buffered.
        assert.lengthOf(answers.filter((answer) => answer.includes("must end in a line feed")), 101);
        socket.terminate();
    });
});

/**
 * The outside world, as a process of its own: it records effects under the id of the event that caused them, once each,
 * and refuses a token that is lower than one it has seen (a late worker). It prints its address first.
 */
import { createServer } from "node:http";
const effects = [];
const highest = new Map();
let late = 0;
const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
        if (request.method === "GET") {
            response.end(JSON.stringify({ effects, fenced: late }));
            return;
        }
        // Only our own workers call here.
        const { id, token } = JSON.parse(Buffer.concat(chunks).toString());
        if (token < (highest.get(id) ?? 0))
            late++;
        else {
            highest.set(id, token);
            effects.push({ id, token, at: Date.now() });
        }
        response.end("{}");
    });
});
server.listen(0, "127.0.0.1", () => {
    // It listens on a port, so its address is one.
    process.stdout.write(`http://127.0.0.1:${server.address().port}\n`);
});

/**
 * A loopback HTTP server that lets ffmpeg read ranges of an upload without a download. It serves this one object under an
 * unguessable path, until the scope closes.
 *
 * ffmpeg treats a broken connection as the end of the file. So an interrupted read from the storage is resumed at its
 * offset, and a final failure is stored as `fault`; check it before you use ffmpeg's result.
 */
import { createServer } from "node:http";
import { TransientError } from "@armoricore/domain/Errors";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, FiberSet, Schedule, Stream } from "effect";
import { failure } from "../pipeline/Failures.ts";
export const open = Effect.fn("RangeProxy.open")(function* (source) {
    const storage = yield* ObjectStorage;
    const run = yield* FiberSet.makeRuntime();
    const path = `/${crypto.randomUUID()}`;
    let fault;
    let bytes = 0;
    let longest = 0;
    /** Sends the bytes from `start` to `end`; resumes where the storage breaks off. */
    const sendRange = Effect.fnUntraced(function* (response, start, end) {
        let offset = start;
        const rest = Effect.suspend(() => storage.get(source, { start: offset, end })).pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))), Effect.flatMap(({ body, info }) => info.etag !== source.etag
            ? Effect.fail(failure("source_changed"))
            : Stream.runForEach(body, (read) => 
            // Some storages return the whole object in one piece.
            Effect.forEach(split(read), (piece) => {
                offset += piece.byteLength;
                bytes += piece.byteLength;
                longest = Math.max(longest, offset - start);
                return write(response, piece);
            }, { discard: true }))), Effect.andThen(Effect.suspend(() => offset > end
            ? Effect.void
            : Effect.fail(new TransientError({
                dependency: "storage",
                code: "truncated_read",
                message: `the storage closed the read of the upload at byte ${offset}, before byte ${end}`,
            })))));
        yield* Effect.retry(rest, {
            while: (error) => error._tag === "TransientError",
            schedule: Schedule.exponential("200 millis"),
            times: 4,
        });
        yield* Effect.sync(() => response.end());
    });
    const respond = (request, response) => Effect.suspend(() => {
        if (request.url !== path || (request.method !== "GET" && request.method !== "HEAD")) {
            return Effect.sync(() => response.writeHead(404).end());
        }
        const [, from, to] = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.headers.range ?? "") ?? [];
        const start = Number(from ?? 0);
        const end = Math.min(source.size - 1, to === undefined || to === "" ? Infinity : Number(to));
        const type = { "accept-ranges": "bytes", "content-type": "application/octet-stream" };
        if (start > end) {
            return Effect.sync(() => response.writeHead(416, { "content-range": `bytes */${source.size}` }).end());
        }
        response.writeHead(from === undefined ? 200 : 206, {
            ...type,
            "content-length": end - start + 1,
            ...(from === undefined ? {} : { "content-range": `bytes ${start}-${end}/${source.size}` }),
        });
        if (request.method === "HEAD")
            return Effect.sync(() => response.end());
        return Effect.catch(sendRange(response, start, end), (error) => Effect.sync(() => {
            fault = error;
            response.destroy();
        }));
    });
    const server = createServer((request, response) => {
        const fiber = run(respond(request, response));
        // ffmpeg closes the connection once it has the bytes that it needs.
        response.on("close", () => fiber.interruptUnsafe());
    });
    yield* Effect.acquireRelease(Effect.callback((resume) => {
        server.once("error", (cause) => resume(Effect.fail(new TransientError({
            dependency: "network",
            code: "unavailable",
            message: "cannot open a port on 127.0.0.1 for ffmpeg to read the upload",
            cause,
        }))));
        server.listen(0, "127.0.0.1", () => resume(Effect.void));
    }), () => Effect.callback((resume) => {
        server.close(() => resume(Effect.void));
        server.closeAllConnections();
    }));
    // Cast: a server that listens on a TCP port has an address of this form.
    const { port } = server.address();
    return {
        url: `http://127.0.0.1:${port}${path}`,
        fault: () => fault,
        bytesServed: () => bytes,
        longestRead: () => longest,
    };
});
const maxWriteBytes = 256 * 1024;
const split = (bytes) => bytes.byteLength <= maxWriteBytes
    ? [bytes]
    : Array.from({ length: Math.ceil(bytes.byteLength / maxWriteBytes) }, (_, index) => bytes.subarray(index * maxWriteBytes, (index + 1) * maxWriteBytes));
/** Waits for a slow reader, so that only a few pieces are in memory. */
const write = (response, piece) => Effect.callback((resume) => {
    if (response.write(piece))
        return resume(Effect.void);
    const ready = () => resume(Effect.void);
    response.once("drain", ready);
    return Effect.sync(() => response.off("drain", ready));
});

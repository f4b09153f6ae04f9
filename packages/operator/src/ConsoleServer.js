/**
 * Serves the page and the files of the console below `/console`. They contain no secrets: their data comes from the
 * operator API, which requires a token. The files are built by `npm ci` in a checkout and come with the package.
 */
import { securityHeaders } from "@armoricore/domain/PageSecurity";
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { Effect, FileSystem, Path } from "effect";
import { HttpServerRequest, HttpServerResponse, HttpStaticServer } from "effect/http";
import { fileURLToPath } from "node:url";
export const path = "/console";
const defaultFolder = fileURLToPath(new URL("../console", import.meta.url));
/** Pictures and streams may come from a CDN; hls.js plays its segments from blobs. */
const headers = securityHeaders({
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' http: https: data:",
    "media-src": "'self' blob: http: https:",
    "connect-src": "'self' ws: wss: http: https:",
});
const configFile = "/config.json";
/** The path of the file below the folder, with its leading slash; the query has no meaning here. */
const filePath = (url) => {
    const below = url.split("?", 1)[0]?.slice(path.length) ?? "";
    return below === "" || below === "/" ? "/index.html" : below;
};
/** The names of files below `assets` change with their content. */
const cacheControl = (file) => file.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
/**
 * The listener; false: another path, nothing was touched. A checkout whose console is not built answers 503 with the
 * command that builds it.
 */
export const make = Effect.fn("ConsoleServer.make")(function* (folder = defaultFolder, config = {}) {
    const fs = yield* FileSystem.FileSystem;
    const { join } = yield* Path.Path;
    const files = yield* Effect.provide(HttpStaticServer.make({ root: folder, index: undefined }), NodeHttpServer.layerHttpServices);
    const missing = Effect.map(Effect.orElseSucceed(fs.exists(join(folder, "index.html")), () => false), (isBuilt) => isBuilt
        ? HttpServerResponse.text("There is no such file.\n", { status: 404 })
        : HttpServerResponse.text("The console is not built: run `npm run build:console` in the checkout.\n", {
            status: 503,
        }));
    const app = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest;
        const file = filePath(request.url);
        const response = file === configFile
            ? HttpServerResponse.text(JSON.stringify(config), { contentType: "application/json" })
            : yield* files.pipe(Effect.provideService(HttpServerRequest.HttpServerRequest, request.modify({ url: file })), Effect.catchTag("HttpServerError", (error) => error.reason._tag === "RouteNotFound" ? missing : Effect.fail(error)));
        return HttpServerResponse.setHeaders(response, { ...headers, "cache-control": cacheControl(file) });
    });
    const handle = yield* NodeHttpServer.makeHandler(app, { scope: yield* Effect.scope });
    return {
        handleRequest: (request, response) => {
            const requestPath = (request.url ?? "/").split("?", 1)[0] ?? "/";
            if (requestPath !== path && !requestPath.startsWith(`${path}/`))
                return false;
            if (request.method === "GET" || request.method === "HEAD")
                handle(request, response);
            else
                response.writeHead(405, { allow: "GET, HEAD" }).end();
            return true;
        },
    };
});

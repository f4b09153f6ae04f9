/** A self-signed certificate for `localhost` in its own folder, deleted with the scope. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
/** Call `Programs.requireProgram("openssl")` first. */
export const make = Effect.fnUntraced(function* (openssl) {
    const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "certificate-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
    const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync(openssl, [...request, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { cert, key, ca: readFileSync(cert, "utf8") };
});

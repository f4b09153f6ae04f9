/** Sign-in at the console by OpenID Connect: authorization code with PKCE, in a real browser. */
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import * as Jose from "jose";
import { createHash } from "node:crypto";
import { faultsOf } from "../support/Axe.ts";
import * as Browser from "../support/Browser.ts";
import * as ProgramFixture from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const browser = Programs.requireProgram("chromium");
/** A provider that signs every user in as `ida`, and issues a token only for the verifier of the code's challenge. */
const provider = Effect.gen(function* () {
    const { privateKey, publicKey } = yield* Effect.promise(() => Jose.generateKeyPair("RS256", { extractable: true }));
    const jwk = { ...(yield* Effect.promise(() => Jose.exportJWK(publicKey))), kid: "k", alg: "RS256", use: "sig" };
    const codes = new Map();
    const clientId = "armoricore-console";
    let issuer = "";
    let roles = ["operator"];
    const sign = (claims) => new Jose.SignJWT({ sub: "ida", ...claims })
        .setProtectedHeader({ alg: "RS256", kid: "k" })
        .setIssuer(issuer)
        .setIssuedAt()
        .setExpirationTime("10m")
        .sign(privateKey);
    const json = (body, status = 200) => ({
        status,
        headers: { "access-control-allow-origin": "*" },
        body: JSON.stringify(body),
    });
    issuer = yield* FakeHttpServer.listenHttp(async ({ body, path }) => {
        const url = new URL(path, issuer);
        switch (url.pathname) {
            case "/.well-known/openid-configuration":
                return json({
                    issuer,
                    authorization_endpoint: `${issuer}/authorize`,
                    token_endpoint: `${issuer}/token`,
                    jwks_uri: `${issuer}/jwks`,
                });
            case "/jwks":
                return json({ keys: [jwk] });
            case "/authorize": {
                const code = crypto.randomUUID();
                codes.set(code, url.searchParams);
                const back = new URL(url.searchParams.get("redirect_uri") ?? issuer);
                back.searchParams.set("code", code);
                back.searchParams.set("state", url.searchParams.get("state") ?? "");
                return { status: 302, headers: { location: back.href } };
            }
            case "/token": {
                const form = new URLSearchParams(body.toString());
                const asked = codes.get(form.get("code") ?? "");
                codes.delete(form.get("code") ?? "");
                const challenge = createHash("sha256")
                    .update(form.get("code_verifier") ?? "")
                    .digest("base64url");
                if (asked?.get("code_challenge") !== challenge)
                    return json({ error: "invalid_grant" }, 400);
                return json({
                    token_type: "Bearer",
                    access_token: await sign({ roles }),
                    id_token: await sign({ aud: clientId, nonce: asked.get("nonce") }),
                });
            }
            default:
                return json({}, 404);
        }
    });
    return {
        issuer,
        clientId,
        revokeRole: () => {
            roles = [];
        },
    };
});
describe.skipIf(browser.missing)("sign-in at the console by OpenID Connect", () => {
    it.live("returns to the linked place, and refuses a user without the role", () => Effect.gen(function* () {
        const { clientId, issuer, revokeRole } = yield* provider;
        const { url } = yield* ProgramFixture.start({
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            JWT_JWKS_URL: `${issuer}/jwks`,
            JWT_ISSUER: issuer,
            OIDC_ISSUER: issuer,
            OIDC_CLIENT_ID: clientId,
        });
        const context = yield* Browser.open({ executablePath: browser.path });
        yield* Effect.promise(async () => {
            const page = await context.newPage();
            const faults = [];
            page.on("pageerror", (error) => faults.push(String(error)));
            await page.goto(`${url}/console#jobs?status=failed`);
            await page.waitForSelector("#provider");
            assert.deepStrictEqual(await faultsOf(page), []);
            await page.click("#provider");
            await page.waitForSelector(".who");
            assert.strictEqual(await page.textContent(".who"), "ida");
            assert.strictEqual(page.url(), `${url}/console#jobs?status=failed`);
            revokeRole();
            await page.click("text=Sign out");
            await page.click("#provider");
            await page.waitForSelector("#token-refusal");
            assert.include(await page.textContent("#token-refusal"), "lacks the role operator");
            assert.deepStrictEqual(faults, []);
        });
    }).pipe(Effect.scoped), 60_000);
});

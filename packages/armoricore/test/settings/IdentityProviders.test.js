/**
 * Tokens as identity providers shape them. Each is accepted with the settings that `docs/clients.md` lists for its provider,
 * and proves the user and the roles.
 */
import { Tokens } from "@armoricore/auth/Tokens";
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Duration, Effect, Layer } from "effect";
import * as Jose from "jose";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Settings } from "../../src/settings/Settings.ts";
import * as Adapters from "../../src/wiring/Adapters.ts";
/** Verifies a token as the program does with these settings. */
const identityOf = (env, token) => Effect.flatMap(Tokens, (tokens) => tokens.verify(token)).pipe(Effect.provide(Adapters.tokens.pipe(Layer.provideMerge(Settings.layer), Layer.provideMerge(NodeServices.layer), Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...env }))))));
const now = () => Math.floor(Date.now() / 1000);
const times = () => ({ iat: now(), exp: now() + 3600 });
const providers = {
    Auth0: {
        alg: "RS256",
        settings: {
            JWT_ISSUER: "https://example.eu.auth0.com/",
            JWT_AUDIENCE: "https://api.example.com",
            JWT_ROLES_CLAIM: "https://example.com/roles",
        },
        claims: () => ({
            iss: "https://example.eu.auth0.com/",
            sub: "auth0|5f7c8ec7c33c6c004bbafe82",
            aud: ["https://api.example.com", "https://example.eu.auth0.com/userinfo"],
            ...times(),
            azp: "my_client_id",
            scope: "openid profile",
            "https://example.com/roles": ["operator"],
        }),
        expected: { userId: "auth0|5f7c8ec7c33c6c004bbafe82", roles: ["operator"] },
    },
    Okta: {
        alg: "RS256",
        settings: {
            JWT_ISSUER: "https://example.okta.com/oauth2/default",
            JWT_AUDIENCE: "api://default",
            JWT_USER_CLAIM: "uid",
            JWT_ROLES_CLAIM: "groups",
        },
        claims: () => ({
            ver: 1,
            jti: "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            iss: "https://example.okta.com/oauth2/default",
            aud: "api://default",
            ...times(),
            cid: "0oabv6kx4qq6h1U5l0h7",
            uid: "00u5t60iloOHN9pBi0h7",
            scp: ["openid", "profile"],
            sub: "ada@example.com",
            groups: ["Everyone", "operator"],
        }),
        expected: { userId: "00u5t60iloOHN9pBi0h7", roles: ["Everyone", "operator"] },
    },
    Keycloak: {
        alg: "RS256",
        settings: {
            JWT_ISSUER: "https://id.example.com/realms/shop",
            JWT_ROLES_CLAIM: "resource_access.app.example.com.roles",
        },
        claims: () => ({
            ...times(),
            jti: "onrtac:44a1b2c3-9d8e-4f00-b1f7-6f2f6c7e1a55",
            iss: "https://id.example.com/realms/shop",
            aud: "account",
            sub: "f:98b3c1a4-7d2e-4c43-a2d5-2f1f0f8c1d11:ada",
            typ: "Bearer",
            realm_access: { roles: ["offline_access"] },
            resource_access: { "app.example.com": { roles: ["operator"] }, account: { roles: ["view-profile"] } },
            scope: "openid email",
            preferred_username: "ada",
        }),
        expected: { userId: "f:98b3c1a4-7d2e-4c43-a2d5-2f1f0f8c1d11:ada", roles: ["operator"] },
    },
    Cognito: {
        alg: "RS256",
        settings: {
            JWT_ISSUER: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
            JWT_ROLES_CLAIM: "cognito:groups",
        },
        claims: () => ({
            sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "cognito:groups": ["operator"],
            iss: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
            client_id: "xxxxxxxxxxxxexample",
            origin_jti: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            token_use: "access",
            scope: "openid",
            auth_time: now(),
            ...times(),
            username: "ada",
        }),
        expected: { userId: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", roles: ["operator"] },
    },
    Firebase: {
        alg: "RS256",
        settings: {
            JWT_ISSUER: "https://securetoken.google.com/my-project",
            JWT_AUDIENCE: "my-project",
            JWT_ROLES_CLAIM: "role",
        },
        claims: () => ({
            role: "operator",
            iss: "https://securetoken.google.com/my-project",
            aud: "my-project",
            auth_time: now(),
            user_id: "jX9bVYfQk3hDnB1hQm2dSrt8Zk12",
            sub: "jX9bVYfQk3hDnB1hQm2dSrt8Zk12",
            ...times(),
            email: "ada@example.com",
            firebase: { identities: { email: ["ada@example.com"] }, sign_in_provider: "password" },
        }),
        expected: { userId: "jX9bVYfQk3hDnB1hQm2dSrt8Zk12", roles: ["operator"] },
    },
    Supabase: {
        alg: "ES256",
        settings: {
            JWT_ISSUER: "https://example.supabase.co/auth/v1",
            JWT_AUDIENCE: "authenticated",
            JWT_ROLES_CLAIM: "app_metadata.roles",
        },
        claims: () => ({
            iss: "https://example.supabase.co/auth/v1",
            sub: "ef0493c9-3582-425f-a362-aef909588df7",
            aud: "authenticated",
            ...times(),
            email: "ada@example.com",
            app_metadata: { provider: "email", providers: ["email"], roles: ["operator"] },
            user_metadata: {},
            role: "authenticated",
            session_id: "6a7d4b1e-1111-4222-8333-944455556666",
        }),
        expected: { userId: "ef0493c9-3582-425f-a362-aef909588df7", roles: ["operator"] },
    },
    "Supabase with its JWT secret": {
        alg: "HS256",
        settings: { JWT_AUDIENCE: "authenticated", JWT_ROLES_CLAIM: "role" },
        claims: () => ({
            sub: "ef0493c9-3582-425f-a362-aef909588df7",
            aud: "authenticated",
            ...times(),
            role: "authenticated",
        }),
        expected: { userId: "ef0493c9-3582-425f-a362-aef909588df7", roles: ["authenticated"] },
    },
    Entra: {
        alg: "RS256",
        settings: { JWT_AUDIENCE: "api://app", JWT_USER_CLAIM: "oid", JWT_ROLES_CLAIM: "scp" },
        claims: () => ({ ...times(), aud: "api://app", sub: "pairwise", oid: "1f7c8ec7-0000", scp: "chat.read operator" }),
        expected: { userId: "1f7c8ec7-0000", roles: ["chat.read", "operator"] },
    },
};
const secret = "the-jwt-secret-of-a-project-of-supabase";
const keyPair = Effect.promise(() => Jose.generateKeyPair("RS256", { extractable: true }));
/** A signed token, and the settings with the keys that verify it. */
const signed = Effect.fnUntraced(function* ({ alg, claims, settings }) {
    if (alg === "HS256") {
        const token = yield* Effect.promise(() => new Jose.SignJWT(claims()).setProtectedHeader({ alg, typ: "JWT" }).sign(new TextEncoder().encode(secret)));
        return { token, env: { ...settings, JWT_SECRET: secret } };
    }
    const pair = yield* Effect.promise(() => Jose.generateKeyPair(alg, { extractable: true }));
    const jwk = yield* Effect.promise(() => Jose.exportJWK(pair.publicKey));
    const body = JSON.stringify({ keys: [{ ...jwk, kid: "k1", alg, use: "sig" }] });
    const url = yield* FakeHttpServer.listenHttp(() => ({ status: 200, body }));
    const token = yield* Effect.promise(() => new Jose.SignJWT(claims()).setProtectedHeader({ alg, kid: "k1", typ: "JWT" }).sign(pair.privateKey));
    return { token, env: { ...settings, JWT_JWKS_URL: `${url}/keys` } };
});
const clientDocs = readFileSync(fileURLToPath(new URL("../../../../docs/clients.md", import.meta.url)), "utf8");
describe("A token of", () => {
    for (const [name, provider] of Object.entries(providers)) {
        it.live(`${name} is accepted with settings alone`, () => Effect.gen(function* () {
            const { env, token } = yield* signed(provider);
            const { roles, userId } = yield* identityOf(env, token);
            assert.deepStrictEqual({ roles, userId }, provider.expected);
        }));
        it(`${name} has its roles claim and issuer in docs/clients.md`, () => {
            const [firstWord = ""] = name.split(" ");
            assert.include(clientDocs, `| ${firstWord}`);
            assert.include(clientDocs, `\`${provider.settings["JWT_ROLES_CLAIM"]?.replace("app.example.com", "CLIENT")}\``);
        });
    }
    it.live("Laravel Passport is accepted with its public key: times with fractions, no kid and no issuer", () => Effect.gen(function* () {
        const pair = yield* keyPair;
        const pem = yield* Effect.promise(() => Jose.exportSPKI(pair.publicKey));
        const claims = {
            aud: "9a0b1c2d-client",
            jti: "d0f9c5a3a7b1f2",
            iat: now() + 0.123456,
            nbf: now() + 0.123456,
            exp: now() + 3600.123456,
            sub: "42",
            scopes: ["operator"],
        };
        const token = yield* Effect.promise(() => new Jose.SignJWT(claims).setProtectedHeader({ alg: "RS256", typ: "JWT" }).sign(pair.privateKey));
        for (const key of [pem, pem.trim().replaceAll("\n", "\\n")]) {
            const identity = yield* identityOf({ JWT_PUBLIC_KEY: key, JWT_ROLES_CLAIM: "scopes" }, token);
            assert.strictEqual(identity.userId, "42");
            assert.deepStrictEqual(identity.roles, ["operator"]);
        }
        const other = yield* Effect.promise(async () => Jose.exportSPKI((await Jose.generateKeyPair("RS256")).publicKey));
        assert.strictEqual((yield* Effect.flip(identityOf({ JWT_PUBLIC_KEY: other }, token)))._tag, "Unauthorized");
        const error = yield* Effect.flip(identityOf({ JWT_PUBLIC_KEY: "no key" }, token));
        assert.include(String(error), "JWT_PUBLIC_KEY");
    }));
    it.live("two issuers is accepted with the keys of its own issuer only", () => Effect.gen(function* () {
        const make = (issuer) => ({
            alg: "ES256",
            settings: {},
            claims: () => ({ ...times(), iss: issuer, sub: `of ${issuer}`.replace(" ", "-") }),
            expected: { userId: "", roles: [] },
        });
        const [one, two] = [yield* signed(make("https://one")), yield* signed(make("https://two"))];
        const urls = (...names) => names.map(({ env }) => ("JWT_JWKS_URL" in env ? env.JWT_JWKS_URL : "")).join(",");
        const env = { JWT_JWKS_URL: urls(one, two), JWT_ISSUER: "https://one,https://two" };
        assert.strictEqual((yield* identityOf(env, one.token)).userId, "of-https://one");
        assert.strictEqual((yield* identityOf(env, two.token)).userId, "of-https://two");
        const swapped = { ...env, JWT_JWKS_URL: urls(two, one) };
        assert.strictEqual((yield* Effect.flip(identityOf(swapped, one.token)))._tag, "Unauthorized");
        const unpaired = yield* Effect.flip(identityOf({ ...env, JWT_ISSUER: "https://one" }, one.token));
        assert.include(String(unpaired), "JWT_ISSUER names 1 issuers and JWT_JWKS_URL 2 key sets");
    }));
});
describe("A token of this program", () => {
    it.live("is accepted under the claims that the settings name", () => Effect.gen(function* () {
        const env = { JWT_SECRET: secret, JWT_USER_CLAIM: "user.id", JWT_ROLES_CLAIM: "https://example.com/roles" };
        const token = yield* Effect.flatMap(Tokens, (tokens) => tokens.sign({ userId: "auth0|7", roles: ["operator"], ttl: Duration.hours(1) })).pipe(Effect.provide(Adapters.tokens.pipe(Layer.provideMerge(Settings.layer), Layer.provideMerge(NodeServices.layer), Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))));
        const { roles, userId } = yield* identityOf(env, token);
        assert.deepStrictEqual({ roles, userId }, { roles: ["operator"], userId: "auth0|7" });
    }));
});

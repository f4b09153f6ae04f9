/**
 * Sign-in at an OpenID Connect provider: authorization code with PKCE, as a public client. The token that the provider
 * issues is the operator's token, so the program must verify tokens of this provider (`JWT_JWKS_URL`).
 */
import * as oauth from "oauth4webapi";
const key = "armoricore.console.oidc";
const redirectUri = () => `${location.origin}/console`;
/** The settings of the server; undefined if it has no provider. */
export const loadConfig = async () => {
    const response = await fetch("/console/config.json");
    if (!response.ok)
        return undefined;
    const config = await response.json();
    return config.oidc;
};
/** Plain HTTP is for a provider on the same machine. */
const insecure = ({ issuer }) => (issuer.startsWith("http:") ? { [oauth.allowInsecureRequests]: true } : {});
const discover = async (config) => {
    const issuer = new URL(config.issuer);
    return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure(config)));
};
/** Leaves the page for the provider. */
export const begin = async (config) => {
    const server = await discover(config);
    if (server.authorization_endpoint === undefined)
        throw new Error(`${config.issuer} has no authorization endpoint`);
    const pending = {
        verifier: oauth.generateRandomCodeVerifier(),
        state: oauth.generateRandomState(),
        nonce: oauth.generateRandomNonce(),
        hash: location.hash,
    };
    sessionStorage.setItem(key, JSON.stringify(pending));
    const url = new URL(server.authorization_endpoint);
    const parameters = {
        client_id: config.client_id,
        redirect_uri: redirectUri(),
        response_type: "code",
        scope: config.scope,
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters))
        url.searchParams.set(name, value);
    location.assign(url);
};
const isPending = (value) => typeof value === "object" &&
    value !== null &&
    ["verifier", "state", "nonce", "hash"].every((name) => typeof Reflect.get(value, name) === "string");
/** True: the provider has sent the browser back to this page. */
export const isReturn = () => new URLSearchParams(location.search).has("state");
/** The token for which the provider exchanges its code. Removes the code from the address bar first. */
export const finish = async (config) => {
    const url = new URL(location.href);
    const pending = JSON.parse(sessionStorage.getItem(key) ?? "null");
    sessionStorage.removeItem(key);
    history.replaceState(null, "", `${url.pathname}${isPending(pending) ? pending.hash : ""}`);
    if (!isPending(pending))
        throw new Error("This sign-in was not started in this tab. Sign in again.");
    const server = await discover(config);
    const client = { client_id: config.client_id };
    const parameters = oauth.validateAuthResponse(server, client, url, pending.state);
    const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, redirectUri(), pending.verifier, insecure(config));
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
        expectedNonce: pending.nonce,
        requireIdToken: true,
    });
    const token = config.token === "id" ? tokens.id_token : tokens.access_token;
    if (token === undefined)
        throw new Error(`${config.issuer} issued no ${config.token} token`);
    return token;
};
/** A failure as a sentence for the operator. */
export const describeFailure = (error, { issuer }) => {
    const reason = error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError
        ? `${error.error}${error.error_description === undefined ? "" : `: ${error.error_description}`}`
        : error instanceof Error
            ? error.message
            : String(error);
    return `The sign-in at ${issuer} failed (${reason})`;
};

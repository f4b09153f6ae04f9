/**
 * A connection with a token that stays valid: it is renewed before it expires, and fetched again when the server rejects the
 * connection. One connection serves all topics of an application.
 */
import { Socket } from "phoenix";
/** The close code of a token that expired or was revoked. */
const tokenEnded = 4001;
/** In milliseconds. */
const renewBefore = 60_000;
const retryDelay = 2_000;
/** Attempts to connect that fail in a row before the token is fetched again: it may be revoked, or its key replaced. */
const attemptsPerToken = 3;
const maxTimeout = 2 ** 31 - 1;
/** `endpoint`: `/socket`, or `wss://example.com/socket` outside of a page of that host. */
export const connect = (endpoint, { onTokenError, socket: options, token }) => {
    let current = "";
    let isClosed = false;
    let timer;
    let fetching;
    const socket = new Socket(endpoint, { ...options, params: () => ({ token: current }) });
    const schedule = (millis) => {
        clearTimeout(timer);
        if (!isClosed)
            timer = setTimeout(() => void renew(), Math.min(Math.max(millis, retryDelay), maxTimeout));
    };
    const fetchToken = async () => {
        try {
            current = await token();
            const expiresAt = expiryOf(current);
            if (expiresAt !== undefined)
                schedule(expiresAt - Date.now() - Math.min(renewBefore, (expiresAt - Date.now()) / 2));
        }
        catch (error) {
            onTokenError?.(error);
            schedule(retryDelay);
        }
        finally {
            fetching = undefined;
        }
    };
    /** A running fetch serves every caller. */
    const renew = async () => {
        fetching ??= fetchToken();
        await fetching;
        if (isClosed || current === "")
            return;
        if (!socket.isConnected()) {
            if (socket.connectionState() !== "connecting")
                socket.connect();
            return;
        }
        socket.channels.find(({ state }) => state === "joined")?.push("access_token", { token: current });
    };
    // A rejected handshake looks like any other failure.
    let failures = 0;
    socket.onOpen(() => {
        failures = 0;
    });
    socket.onError(() => {
        const expiresAt = expiryOf(current);
        const isNearEnd = expiresAt === undefined || expiresAt - Date.now() < renewBefore;
        if (++failures % attemptsPerToken === 0 || isNearEnd)
            void renew();
    });
    socket.onClose(({ code }) => {
        if (code === tokenEnded && !isClosed)
            void renew();
    });
    void renew();
    return {
        socket,
        close: () => {
            isClosed = true;
            clearTimeout(timer);
            socket.disconnect();
        },
    };
};
/** The `exp` of a JWT in milliseconds; `undefined` for a token of another kind. */
const expiryOf = (token) => {
    try {
        const [, payload = ""] = token.split(".");
        const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
        const exp = typeof claims === "object" && claims !== null && "exp" in claims ? claims.exp : undefined;
        return typeof exp === "number" ? exp * 1000 : undefined;
    }
    catch {
        return undefined;
    }
};

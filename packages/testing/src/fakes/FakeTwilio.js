/**
 * Twilio's message API for tests, with its documented errors and signed status callbacks. The number decides the answer: Twilio's
 * own test numbers (`+15005550001` invalid, `…0002` not reachable, `…0003` country not permitted, `…0004` unsubscribed,
 * `…0009` not mobile), and of this fake `…0429` throttled the first time, `…0503` unavailable the first time, `…0000` taken,
 * then the connection is lost. Every other number is accepted.
 */
import { Context, Effect, Layer, Redacted } from "effect";
import { createHmac } from "node:crypto";
import * as FakeHttpServer from "./FakeHttpServer.ts";
export class FakeTwilio extends Context.Service()("@armoricore/testing/FakeTwilio") {
    static layer = Layer.effect(FakeTwilio, Effect.suspend(() => make));
}
const account = `AC${"0123456789abcdef".repeat(2)}`;
const token = "a token of Twilio";
const from = "+15005550006";
const refusals = {
    "+15005550001": [21_211, "The 'To' number +15005550001 is not a valid phone number."],
    "+15005550002": [21_612, "The 'To' phone number is not currently reachable using the 'From' phone number."],
    "+15005550003": [21_408, "Permission to send an SMS has not been enabled for the region."],
    "+15005550004": [21_610, "Attempt to send to unsubscribed recipient"],
    "+15005550009": [21_614, "'To' number is not a valid mobile number"],
};
const make = Effect.gen(function* () {
    const accepted = [];
    const attemptedNumbers = [];
    const answer = (request) => {
        if (request.path !== `/2010-04-01/Accounts/${account}/Messages.json`)
            return error(404, 20_404, "not found");
        const credentials = Buffer.from(`${account}:${token}`).toString("base64");
        if (request.headers.authorization !== `Basic ${credentials}`)
            return error(401, 20_003, "Authenticate");
        const parameters = Object.fromEntries(new URLSearchParams(request.body.toString()));
        const { Body = "", From, MessagingServiceSid, To = "" } = parameters;
        const isRepeated = attemptedNumbers.includes(To);
        attemptedNumbers.push(To);
        if (From === undefined && MessagingServiceSid === undefined)
            return error(400, 21_603, "A 'From' number is required");
        if (From !== undefined && From !== from)
            return error(400, 21_606, "The 'From' number is not a valid sender");
        if (Body === "")
            return error(400, 21_602, "Message body is required");
        if (Body.length > 1_600)
            return error(400, 21_617, "The concatenated message body exceeds the 1600 character limit");
        const refusal = refusals[To];
        if (refusal !== undefined)
            return error(400, ...refusal);
        if (To.endsWith("0429") && !isRepeated)
            return { ...error(429, 20_429, "Too Many Requests"), headers: { "retry-after": "1" } };
        if (To.endsWith("0503") && !isRepeated)
            return error(503, 20_503, "Service Unavailable");
        const sid = `SM${crypto.randomUUID().replaceAll("-", "")}`;
        accepted.push({ sid, parameters });
        if (To.endsWith("0000"))
            return { status: 0, disconnect: true };
        return { status: 201, body: JSON.stringify({ sid, status: "queued", to: To, error_code: null }) };
    };
    return FakeTwilio.of({
        baseUrl: yield* FakeHttpServer.listenHttp(answer),
        account,
        token: Redacted.make(token),
        from,
        accepted,
        attemptedNumbers,
        callback: (url, parameters) => {
            const signed = Object.keys(parameters)
                .toSorted()
                .reduce((text, name) => `${text}${name}${parameters[name]}`, url);
            return {
                headers: {
                    "content-type": "application/x-www-form-urlencoded",
                    "x-twilio-signature": createHmac("sha1", token).update(signed).digest("base64"),
                },
                body: new URLSearchParams(parameters).toString(),
            };
        },
    });
});
const error = (status, code, message) => ({
    status,
    body: JSON.stringify({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }),
});

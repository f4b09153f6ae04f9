import { assert, describe, it } from "@effect/vitest";
import { faultOf } from "../../../src/provider/Provider.ts";
import * as SmtpReply from "../../../src/providers/email/SmtpReply.ts";
const reply = (command, response, isComplete = false) => SmtpReply.toProviderError(Object.assign(new Error(response), { command, response, responseCode: Number(response.slice(0, 3)) }), isComplete);
describe("SmtpReply", () => {
    it("reads the enhanced status code only where RFC 2034 puts it", () => {
        for (const [response, code] of [
            ["550 5.1.1 no such user", "5.1.1"],
            ["550-5.1.1 The account does not exist.\n550 5.1.1 Try again", "5.1.1"],
            ["550 5.7.1 Client host [195.5.1.1] blocked", "5.7.1"],
            ["550 Client host [195.5.1.1] blocked, see 5.1.1", undefined],
            ["550 mailbox unavailable 5.1.1", undefined],
            ["450 5.1.1 the class contradicts the reply", undefined],
            ["250 2.0.0 ok", "2.0.0"],
            ["550 5.1.1.1 an address", undefined],
            ["", undefined],
        ])
            assert.strictEqual(SmtpReply.enhancedCodeOf(response), code, response);
    });
    it("decides whose fault each reply is", () => {
        for (const [command, response, tag, fault] of [
            ["RCPT TO", "550 5.1.1 User unknown", "InvalidTarget", "recipient"],
            ["RCPT TO", "556 5.1.10 null MX", "InvalidTarget", "recipient"],
            ["RCPT TO", "550 5.7.1 Client host [195.5.1.1] blocked using zen.example.org", "Refusal", "recipient"],
            ["RCPT TO", "554 5.7.1 <anna@example.org>: Relay access denied", "Refusal", "recipient"],
            ["RCPT TO", "454 4.7.1 <anna@example.org>: Relay access denied", "Refusal", "recipient"],
            ["RCPT TO", "550 User unknown", "Refusal", "recipient"],
            ["RCPT TO", "550 5.2.1 disabled", "PermanentError", "message"],
            ["RCPT TO", "552 5.2.2 mailbox full", "PermanentError", "message"],
            ["RCPT TO", "450 4.2.0 greylisted", "TransientError", "provider"],
            ["RCPT TO", "452 4.2.2 mailbox full", "TransientError", "provider"],
            ["MAIL FROM", "451 4.7.1 try later", "TransientError", "provider"],
            ["MAIL FROM", "552 5.3.4 too big", "PermanentError", "message"],
            ["MAIL FROM", "550 5.7.1 sender rejected", "ConfigurationError", "us"],
            ["DATA", "554 5.7.1 looks like spam", "Refusal", "message"],
            ["DATA", "451 4.3.0 try later", "TransientError", "provider"],
            ["CONN", "421 4.7.0 too many connections", "TransientError", "provider"],
            ["CONN", "554 5.7.1 blocked using zen.example.org", "ConfigurationError", "us"],
            ["AUTH PLAIN", "535 5.7.8 wrong password", "ConfigurationError", "us"],
            ["AUTH PLAIN", "454 4.7.0 try later", "TransientError", "provider"],
        ]) {
            const error = reply(command, response);
            assert.deepStrictEqual([error._tag, faultOf(error)], [tag, fault], `${command}: ${response}`);
        }
    });
});

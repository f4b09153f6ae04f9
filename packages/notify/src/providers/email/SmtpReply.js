/**
 * Classifies how an SMTP conversation ended. The enhanced status code is read where RFC 2034 puts it: the first word
 * after the reply code. The rest of a reply is text for people, and may contain anything.
 *
 * | end of the conversation | result |
 * |---|---|
 * | 250 after the message | accepted |
 * | 4yz at any stage | transient `deferred`: greylisting, a full mailbox, a rate limit, a server that shuts down |
 * | 454 at RCPT | refusal for now: the server does not relay for this machine |
 * | connection lost or stalled before the message was complete | transient |
 * | 5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10 | invalid target: the address is suppressed |
 * | 5.2.1, 5.2.2 | permanent: the mailbox is disabled or full, which may change |
 * | 5.3.4, 5.2.3, 552 after the message | permanent `too_large` |
 * | 530, 534, 535, 538 or any failed login | configuration error |
 * | 5yz at the greeting or EHLO; 5yz at MAIL FROM | configuration error |
 * | other 5yz at RCPT, as 5.7.1 | refusal of the recipient: blocked, no relay, a policy, an unknown user |
 * | other 5yz after DATA | refusal of the message |
 * | an untrusted certificate; no TLS although it is required | configuration error |
 * | timeout or connection lost after the message was complete | unknown outcome: the server may have accepted it |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { InvalidTarget, Refusal, UnknownOutcome } from "../../provider/Provider.ts";
import { deferredCode } from "../../provider/ProviderCircuit.ts";
import { isCertificateError } from "../HttpCall.ts";
/**
 * The enhanced status code of a reply, as `5.1.1`. Undefined without one, or if its class differs from that of the reply
 * code, which RFC 2034 forbids.
 */
export const enhancedCodeOf = (response) => {
    const [, replyClass, code] = /^([245])\d\d[ -](\d\.\d{1,3}\.\d{1,3})(?=\s|$)/.exec(response) ?? [];
    return code?.startsWith(`${replyClass}.`) === true ? code : undefined;
};
const dependency = "smtp";
const authenticationCodes = new Set([530, 534, 535, 538]);
const preMailCommands = new Set(["CONN", "EHLO", "HELO"]);
/** No such mailbox or domain, a bad address, a moved mailbox, a domain that accepts no mail. */
const invalidAddressCodes = new Set(["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"]);
const tooLargeCodes = new Set(["5.3.4", "5.2.3"]);
/** `isComplete`: the server may have received the whole message. */
export const toProviderError = (error, isComplete) => {
    const { command = "", response = "", responseCode } = error;
    if (responseCode === undefined)
        return withoutReply(error, isComplete);
    const message = `the SMTP server replied: ${response === "" ? error.message : response}`;
    const isLogin = authenticationCodes.has(responseCode) || command.startsWith("AUTH");
    if (responseCode < 500) {
        if (responseCode === 454 && command === "RCPT TO")
            return notRelayed(response, true);
        return new TransientError({ dependency, code: deferredCode, message });
    }
    if (isLogin)
        return misconfigured("SMTP_URL", `the login was rejected: ${response}`);
    if (command === "STARTTLS") {
        const advice = "enable STARTTLS on it, or add ?tls=optional in a trusted network";
        return misconfigured("SMTP_URL", `the mail server offers no TLS, which is required; ${advice}: ${response}`);
    }
    if (preMailCommands.has(command))
        return misconfigured("SMTP_URL", `the mail server rejects connections from this machine: ${response}`);
    const code = enhancedCodeOf(response) ?? "";
    if (tooLargeCodes.has(code) || (responseCode === 552 && command !== "RCPT TO" && code !== "5.2.2"))
        return new PermanentError({ code: "too_large", message });
    if (command === "MAIL FROM")
        return misconfigured("MAIL_FROM", `the server rejects the sender: ${response}`);
    if (invalidAddressCodes.has(code))
        return new InvalidTarget({ reason: "unknown_address", message });
    // The mailbox exists, so the address stays in use.
    if (code === "5.2.1")
        return new PermanentError({ code: "mailbox_disabled", message });
    if (code === "5.2.2")
        return new PermanentError({ code: "mailbox_full", message });
    if (command === "RCPT TO")
        return notRelayed(response, false);
    return new Refusal({ fault: "message", reason: "refused", setting: "MAIL_FROM", message });
};
const notRelayed = (response, isTemporary) => new Refusal({
    fault: "recipient",
    reason: "refused",
    setting: "SMTP_URL",
    message: "the mail server refuses the recipient; if it refuses all, check that it relays for this machine and that the " +
        `address of this machine is on no block list: ${response}`,
    ...(isTemporary ? { isTemporary } : {}),
});
const withoutReply = ({ code, message, originalCode = "" }, isComplete) => {
    if (isComplete)
        return new UnknownOutcome({
            message: "the SMTP server closed the connection after the message and before its reply",
        });
    if (isCertificateError(originalCode)) {
        const advice = "set it to the certificate of its authority, and use the host name of the certificate in SMTP_URL";
        return misconfigured("SMTP_CA", `the certificate of the mail server is not trusted (${message}); ${advice}`);
    }
    if (code === "EAUTH")
        return misconfigured("SMTP_URL", `the login failed: ${message}`);
    if (code === "EENVELOPE" || code === "EMESSAGE")
        return new PermanentError({ code: "refused", message });
    return new TransientError({ dependency, code: "unavailable", message });
};
const misconfigured = (setting, message) => new ConfigurationError({ setting, message: `${setting}: ${message}` });

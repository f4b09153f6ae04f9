/** The fields `email` of a request: reply address, copies, the sender's name and the preview text. */
import { PermanentError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { escape } from "./Html.ts";
import { isEmailAddress } from "./Target.ts";
const maxCopies = 50;
const maxReplyAddresses = 10;
const maxNameLength = 200;
const maxPreheaderLength = 500;
/** `PermanentError` codes `malformed_address`, `too_many_copies`. The messages name the field. */
export const make = ({ bcc, cc, from_name, preheader, reply_to, }) => Effect.gen(function* () {
    const replyTo = yield* addressesOf("email.reply_to", reply_to);
    const copies = { cc: yield* addressesOf("email.cc", cc), bcc: yield* addressesOf("email.bcc", bcc) };
    if (copies.cc.length + copies.bcc.length > maxCopies) {
        return yield* new PermanentError({
            code: "too_many_copies",
            message: `email.cc and email.bcc have ${copies.cc.length + copies.bcc.length} addresses; at most ${maxCopies} are possible`,
        });
    }
    if (replyTo.length > maxReplyAddresses) {
        return yield* new PermanentError({
            code: "too_many_copies",
            message: `email.reply_to has ${replyTo.length} addresses; at most ${maxReplyAddresses} are possible`,
        });
    }
    const name = oneLine(from_name ?? "").slice(0, maxNameLength);
    const preview = oneLine(preheader ?? "").slice(0, maxPreheaderLength);
    return {
        ...(replyTo.length === 0 ? {} : { reply_to: replyTo }),
        ...(copies.cc.length === 0 ? {} : { cc: copies.cc }),
        ...(copies.bcc.length === 0 ? {} : { bcc: copies.bcc }),
        ...(name === "" ? {} : { from_name: name }),
        ...(preview === "" ? {} : { preheader: preview }),
    };
});
const addressesOf = (field, value = []) => {
    const addresses = [value].flat().map((address) => address.trim());
    const wrong = addresses.findIndex((address) => !isEmailAddress(address));
    return wrong === -1
        ? Effect.succeed([...new Set(addresses)])
        : Effect.fail(new PermanentError({
            code: "malformed_address",
            message: `${field}${Array.isArray(value) ? `[${wrong}]` : ""} is ${JSON.stringify(addresses[wrong])}, which is not an e-mail address; use the form name@example.com`,
        }));
};
/** A header field may contain no line break. */
export const oneLine = (text) => text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
/** The addresses that receive a copy. */
export const copiesOf = ({ email, localized = {} }) => [email, ...Object.values(localized).map((one) => one.email)].flatMap((one) => [
    ...(one?.cc ?? []),
    ...(one?.bcc ?? []),
]);
/** Places the preview text at the start of the page, where mail programs read it and do not show it. */
export const withPreheader = (html, preheader) => {
    const hidden = `<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">${escape(preheader)}${"&#847;&zwnj;&nbsp;".repeat(20)}</div>`;
    return /<body[^>]*>/i.test(html) ? html.replace(/<body[^>]*>/i, (tag) => `${tag}\n${hidden}`) : `${hidden}${html}`;
};

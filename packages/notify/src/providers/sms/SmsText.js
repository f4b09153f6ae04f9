/** The text of an SMS: the title on a line of its own, then the body. */
import { PermanentError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
/** Twilio's limit, about ten segments. */
const maxCharacters = 1_600;
export const make = ({ target, text, title }) => {
    if (target.channel !== "sms")
        return Effect.fail(new PermanentError({ code: "wrong_recipient", message: "the target is not a phone number" }));
    const whole = [title, text].filter((line) => line !== "").join("\n");
    if (whole === "")
        return Effect.fail(new PermanentError({ code: "empty", message: "the SMS has no text; set title or body" }));
    if (whole.length > maxCharacters) {
        return Effect.fail(new PermanentError({
            code: "too_long",
            message: `the SMS has ${whole.length} characters; title and body may have ${maxCharacters} together`,
        }));
    }
    return Effect.succeed({ to: target.number, text: whole });
};

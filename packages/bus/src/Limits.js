/** Limits that hold on every adapter of the bus. */
import { maxMessageBytes } from "@armoricore/domain/MessageSize";
import { Duration } from "effect";
export { headerFault, maxMessageBytes, messageBytes, tooLarge } from "@armoricore/domain/MessageSize";
/** A dead letter wraps the message that it stands for. */
export const maxDeadLetterBytes = 4 * maxMessageBytes;
export const defaults = {
    /** How long the bus recognises a second message with the same id. */
    duplicateWindow: Duration.minutes(5),
    eventAge: Duration.days(7),
    maxBytes: 4 * 1024 ** 3,
};

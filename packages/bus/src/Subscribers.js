/**
 * The subscribers of one process. A received message is passed to each subscriber whose pattern matches, synchronously
 * and in order. A subscriber that throws is logged and does not affect the others.
 */
import { Context, Effect } from "effect";
import { matcher } from "./Subjects.ts";
export const make = Effect.map(Effect.context(), (context) => {
    const subscribers = new Set();
    const runFork = Effect.runForkWith(context);
    const callSafely = (call) => {
        try {
            call();
        }
        catch (cause) {
            runFork(Effect.logError("A subscriber threw", cause));
        }
    };
    return {
        add: (pattern, onMessage, onGap) => {
            const listener = { matches: matcher(pattern), onMessage, onGap };
            subscribers.add(listener);
            return () => void subscribers.delete(listener);
        },
        publish: (message) => {
            for (const listener of subscribers) {
                if (listener.matches(message.subject))
                    callSafely(() => listener.onMessage(message));
            }
        },
        notifyGap: () => {
            for (const { onGap } of subscribers)
                if (onGap !== undefined)
                    callSafely(onGap);
        },
    };
});

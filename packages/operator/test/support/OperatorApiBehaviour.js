/** The behaviour of the operator API over every transport. */
import { describe, it } from "@effect/vitest";
import { Effect, Logger } from "effect";
import { api } from "./OperatorHarness.ts";
import { accessBehaviour } from "./behaviour/Access.ts";
import { deadLetterBehaviour } from "./behaviour/DeadLetters.ts";
import { jobBehaviour } from "./behaviour/Jobs.ts";
import { reviewBehaviour } from "./behaviour/Reviews.ts";
import { viewBehaviour } from "./behaviour/Views.ts";
export const behaviour = (name, open) => {
    // Clients differ in the errors of their transport alone, which no test meets.
    const connected = open;
    const test = (title, run) => it.live(title, () => Effect.flatMap(connected, run).pipe(Effect.scoped, Effect.provide(api), Effect.provide(Logger.layer([]))));
    describe(name, () => {
        accessBehaviour(test);
        deadLetterBehaviour(test);
        jobBehaviour(test);
        reviewBehaviour(test);
        viewBehaviour(test);
    });
};

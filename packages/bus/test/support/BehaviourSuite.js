/**
 * The behaviour of every adapter of the bus, as one suite. An adapter's test file is one call of {@link behaviourSuite}: each test gets
 * a bus of its own, empty, and two layers of it stand for two processes where `second` is given.
 */
import { consumingBehaviour } from "./behaviour/Consuming.ts";
import { deadLetterBehaviour } from "./behaviour/DeadLetters.ts";
import { makeTests } from "./behaviour/Harness.ts";
import { publishingBehaviour } from "./behaviour/Publishing.ts";
import { subscribingBehaviour } from "./behaviour/Subscribing.ts";
export const behaviourSuite = (suite) => {
    const tests = makeTests(suite);
    publishingBehaviour(tests);
    consumingBehaviour(tests);
    deadLetterBehaviour(tests);
    subscribingBehaviour(tests);
};

/** Every error of the ports becomes a failure that a person can act on. */
import { ConfigurationError, Conflict, NotFound, PermanentError, InvalidEvent, TransientError, } from "@armoricore/domain/Errors";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { ActionRejected, Unavailable } from "../../src/api/Errors.ts";
import { mapErrors, clampLimit, notFound } from "../../src/handlers/Errors.ts";
const cases = [
    [
        new ActionRejected({ code: "too_late", message: "over" }),
        { _tag: "ActionRejected", code: "too_late", message: "over" },
    ],
    [
        new Unavailable({ dependency: "bus", message: "away" }),
        { _tag: "Unavailable", dependency: "bus", message: "away" },
    ],
    [
        notFound("media", "m1"),
        {
            _tag: "ActionRejected",
            code: "not_found",
            message: "media m1 does not exist; another operator may have acted on it first",
        },
    ],
    [
        new NotFound({ resource: "dead letter", id: "7" }),
        {
            _tag: "ActionRejected",
            code: "not_found",
            message: "dead letter 7 does not exist; another operator may have acted on it first",
        },
    ],
    [
        new InvalidEvent({ reason: "invalid", path: "payload.user_id", message: "is empty" }),
        { _tag: "ActionRejected", code: "invalid", path: "payload.user_id" },
    ],
    [
        new PermanentError({ code: "too_large", message: "it is too large" }),
        { _tag: "ActionRejected", code: "too_large", message: "it is too large" },
    ],
    [new Conflict({ key: "k" }), { _tag: "ActionRejected", code: "conflict" }],
    [
        new TransientError({ dependency: "state", code: "timeout", message: "no answer" }),
        { _tag: "Unavailable", dependency: "state", message: "no answer; try again later" },
    ],
    [
        new ConfigurationError({ setting: "STATE_URL", message: "STATE_URL is refused" }),
        { _tag: "Unavailable", dependency: "STATE_URL", message: "STATE_URL is refused" },
    ],
];
describe("failures inside the server", () => {
    for (const [given, reported] of cases) {
        it.effect(`${given._tag} becomes an error of the API`, () => Effect.map(Effect.flip(mapErrors(Effect.fail(given))), (failure) => assert.deepInclude(failure, reported)));
    }
    it("limits each page", () => {
        assert.deepStrictEqual([undefined, -5, 0, 7, 9_999].map((limit) => clampLimit(limit, 100, 1_000)), [100, 1, 1, 7, 1_000]);
    });
});

/** `armoricore token`: a JWT for tests, signed with the secret of this configuration. */
import { Tokens } from "@armoricore/auth/Tokens";
import { builtInRoles } from "@armoricore/auth/Identity";
import { UserId } from "@armoricore/domain/Ids";
import { Console, Duration, Effect, Option, Result } from "effect";
import { Command, Flag } from "effect/cli";
import * as Adapters from "../wiring/Adapters.ts";
import { parseDuration } from "../settings/Setting.ts";
import { withShownDefault } from "./output.ts";
import { withSettings } from "./with-settings.ts";
const user = Flag.String("user").pipe(Flag.withDescription("user id of the token"), Flag.withMetavar("ID"), Flag.withSchema(UserId));
const roles = Flag.Literals("role", builtInRoles).pipe(Flag.withDescription("a role; repeatable"), Flag.atLeast(0));
const ttl = Flag.String("ttl").pipe(Flag.withMetavar("DURATION"), withShownDefault("lifetime of the token", "1h"), Flag.filterMap((text) => Option.filter(Result.getSuccess(parseDuration(text)), (lifetime) => Duration.toMillis(lifetime) >= 1000), () => "a duration of at least 1 s, such as 30 s, 10 min or 1 h"));
export const token = Command.make("token", { user, roles, ttl }, Effect.fn("token")(function* ({ user: userId, roles: tokenRoles, ttl: lifetime }) {
    const tokens = yield* Tokens;
    yield* Console.log(yield* tokens.sign({ userId, roles: tokenRoles, ttl: lifetime }));
}, Effect.provide(Adapters.tokens), withSettings));

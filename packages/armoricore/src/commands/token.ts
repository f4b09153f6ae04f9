/** `armoricore token`: a JWT for trying things out, signed as the running program would expect it. */
import { Tokens } from "@armoricore/auth/Tokens"
import { Id } from "@armoricore/domain/JsonCodecs"
import { Console, Duration, Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import * as Adapters from "../wiring/Adapters.ts"
import { parseDuration } from "../settings/Setting.ts"
import { withSettings } from "./support.ts"

const user = Flag.String("user").pipe(
  Flag.withDescription("the user the token speaks for"),
  Flag.withMetavar("ID"),
  Flag.withSchema(Id),
)
const roles = Flag.String("role").pipe(
  Flag.withDescription("a role: publisher, operator, guest; may be given again"),
  Flag.withMetavar("R"),
  Flag.atLeast(0),
)
const ttl = Flag.String("ttl").pipe(
  Flag.withDescription("how long it is valid"),
  Flag.withMetavar("DURATION"),
  Flag.withDefault("1h"),
  Flag.filterMap(
    (text) => Option.filter(Result.getSuccess(parseDuration(text)), (lifetime) => Duration.toMillis(lifetime) >= 1000),
    () => "a duration of at least a second, such as 30 s, 10 min or 1 h",
  ),
)

export const token = Command.make(
  "token",
  { user, roles, ttl },
  Effect.fn("token")(
    function* ({ user: userId, roles: given, ttl: lifetime }) {
      const tokens = yield* Tokens
      yield* Console.log(yield* tokens.sign({ userId, roles: given, ttl: lifetime }))
    },
    Effect.provide(Adapters.tokens),
    withSettings,
  ),
).pipe(Command.withDescription("Prints a token signed with JWT_SECRET"))

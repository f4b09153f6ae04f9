/**
 * Where the operators' console is. While the program signs with a secret of its own, which is for trying out, the link
 * brings a token along; it stands behind the `#`, which no server and no proxy ever sees.
 */
import { Tokens } from "@armoricore/auth/Tokens"
import { Console, Duration, Effect } from "effect"
import * as TokensLayer from "../../wiring/TokensLayer.ts"
import { Settings } from "../../settings/Settings.ts"

const tokenTtl = Duration.hours(12)

export const print = Effect.fnUntraced(function* (url: string) {
  const { JWT_JWKS_URL, JWT_SECRET } = yield* Settings
  if (JWT_SECRET !== undefined || JWT_JWKS_URL !== undefined) return
  const token = yield* Effect.flatMap(Tokens, (tokens) =>
    tokens.sign({ userId: "operator", roles: ["operator"], ttl: tokenTtl }),
  ).pipe(Effect.provide(TokensLayer.layer))
  yield* Console.log(`The console: ${url}/console#token=${token}`)
})

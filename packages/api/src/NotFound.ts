/** What has no route is told so like every other refusal. */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import { answered, refuse } from "./Problem.ts"

export const layer = HttpRouter.add(
  "*",
  "/*",
  answered(Effect.fail(refuse(404, "no_route", "there is nothing under this method and path"))),
)

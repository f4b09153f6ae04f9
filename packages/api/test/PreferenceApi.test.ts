import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const path = "/v1/users/auth0%7C7/preferences"

describe("/v1/users/{id}/preferences", () => {
  it.effect("stores the preferences of a user, and names the wrong field", () =>
    Effect.gen(function* () {
      const token = yield* signToken("auth0|7")
      const put = (body: object) => sendRequest("PUT", path, { token, body: JSON.stringify(body) })
      assert.deepStrictEqual((yield* sendRequest("GET", path, { token })).body, { categories: {} })
      const wanted = {
        categories: { "*": { push: false }, orders: { push: true, email: false } },
        quiet_hours: { from: "22:00", to: "07:00", time_zone: "Europe/Paris" },
        locale: "fr",
      }
      assert.deepStrictEqual((yield* put(wanted)).body, wanted)
      const backend = yield* signToken("php", "publisher")
      assert.deepStrictEqual((yield* sendRequest("GET", path, { token: backend })).body, wanted)
      const quiet_hours = { from: "22:00", to: "07:00", time_zone: "UTC" }
      assert.deepStrictEqual((yield* put({ quiet_hours })).body, { categories: {}, quiet_hours })
      // PHP encodes empty objects as [].
      assert.deepStrictEqual((yield* put({ categories: { orders: [] } })).body, { categories: { orders: {} } })
      assert.deepStrictEqual((yield* put({ categories: [], locale: "de" })).body, { categories: {}, locale: "de" })
      // A database has NULL for a choice that was not made.
      assert.deepStrictEqual((yield* put({ categories: {}, quiet_hours: null, locale: null })).body, { categories: {} })
      for (const [body, wrong] of [
        [{}, "categories"],
        [{ category: {} }, "category"],
        [{ categories: {}, quietHours: {} }, "quietHours"],
        [{ categories: { orders: { mail: false } } }, "categories.orders.mail"],
        [{ categories: { "A b": {} } }, "categories"],
        [{ categories: { orders: { push: "yes" } } }, "categories.orders.push"],
        [{ categories: {}, quiet_hours: { from: "22:00", to: "22:00", time_zone: "UTC" } }, "quiet_hours.to"],
        [{ categories: {}, quiet_hours: { from: "22", to: "23:00", time_zone: "UTC" } }, "quiet_hours.from"],
        [{ categories: {}, quiet_hours: { from: "22:00", to: "23:00", time_zone: "Mars" } }, "quiet_hours.time_zone"],
      ] as const) {
        assert.deepInclude((yield* put(body)).body, { status: 422, path: wrong }, JSON.stringify(body))
      }
      const other = yield* sendRequest("GET", path, { token: yield* signToken("8") })
      assert.strictEqual(other.status, 403)
    }).pipe(Effect.provide(apiServer())),
  )
})

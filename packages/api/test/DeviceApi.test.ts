import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { hash } from "node:crypto"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const path = "/v1/users/auth0%7C7/devices"
const token = "fcm-token-of-a-phone"

describe("/v1/users/{id}/devices", () => {
  it.effect("registers, lists without the token, and removes", () =>
    Effect.gen(function* () {
      const own = yield* signToken("auth0|7")
      const body = JSON.stringify({
        platform: "android",
        token,
        app: "driver",
        locale: "fr",
        time_zone: "Europe/Paris",
      })
      const put = yield* sendRequest("PUT", `${path}/phone-1`, { token: own, body })
      assert.strictEqual(put.status, 200)
      assert.deepInclude(put.body, { device_id: "phone-1", platform: "android", app: "driver", locale: "fr" })
      const listed = yield* sendRequest("GET", path, { token: yield* signToken("php", "publisher") })
      assert.deepNestedInclude(listed.body, { "devices[0].device_id": "phone-1" })
      assert.notInclude(JSON.stringify([put.body, listed.body]), token)
      const phone = {
        platform: "sms",
        token: "+33 6 12 34 56 78",
        app: null,
        locale: "pt_BR",
        time_zone: null,
        web_push: null,
      }
      const registered = yield* sendRequest("PUT", `${path}/sms`, { token: own, body: JSON.stringify(phone) })
      // As `device.token_invalid` names the number: without blanks.
      assert.deepInclude(registered.body, {
        platform: "sms",
        token_hash: hash("sha256", "+33612345678"),
        locale: "pt_BR",
      })
      assert.strictEqual((yield* sendRequest("DELETE", `${path}/phone-1`, { token: own })).status, 204)
      const again = yield* sendRequest("DELETE", `${path}/phone-1`, { token: own })
      assert.deepInclude(again.body, { status: 404, code: "not_found" })
    }).pipe(Effect.provide(apiServer())),
  )

  it.effect("names the wrong field", () =>
    Effect.gen(function* () {
      const own = yield* signToken("auth0|7")
      for (const [fields, wrong] of [
        [{ platform: "symbian", token }, "platform"],
        [{ platform: "android" }, "token"],
        [{ platform: "ios", token: "not hexadecimal" }, "token"],
        [{ platform: "email", token: "Anna <anna@example.org>" }, "token"],
        [{ platform: "sms", token: "0612345678" }, "token"],
        [{ platform: "web", token }, "web_push"],
        [{ platform: "android", token, time_zone: "Europe/Atlantis" }, "time_zone"],
        [{ platform: "android", token, locale: "not a language" }, "locale"],
        [{ platform: "android", token, app: "a b" }, "app"],
      ] as const) {
        const { body } = yield* sendRequest("PUT", `${path}/d`, { token: own, body: JSON.stringify(fields) })
        assert.deepInclude(body, { status: 422, path: wrong })
      }
      const misnamed = yield* sendRequest("PUT", `${path}/a%20b`, { token: own, body: "{}" })
      assert.deepInclude(misnamed.body, { status: 422, path: "device_id" })
      const other = yield* sendRequest("PUT", `${path}/d`, { token: yield* signToken("8"), body: "{}" })
      assert.deepInclude(other.body, { status: 403, code: "forbidden" })
    }).pipe(Effect.provide(apiServer())),
  )
})

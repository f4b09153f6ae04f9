import { FakeFcm } from "@armoricore/testing/fakes/FakeFcm"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Fcm from "../src/routes/Fcm.ts"
import { first, heard, ports, push, service } from "./support/Installation.ts"

const routes = Layer.unwrap(
  Effect.map(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.layer({ baseUrl, serviceAccount })),
)
const installed = service(routes).pipe(Layer.provideMerge(Layer.merge(ports, FakeFcm.layer)))

describe("FCM", () => {
  it.live("a push arrives once and is told", () =>
    Effect.gen(function* () {
      const events = yield* heard
      const fake = yield* FakeFcm
      yield* push({ recipients: [{ fcm_token: "good-token" }] })
      const sent = yield* first(events, "notification.sent")
      assert.lengthOf(fake.sent, 1)
      assert.strictEqual(sent.request_id, "r-1")
      assert.deepNestedInclude(sent.payload, { "deliveries[0].status": "sent", "deliveries[0].provider": "fcm" })
    }).pipe(Effect.provide(installed)),
  )
})

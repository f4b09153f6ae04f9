/** deploy/nats.conf grants what the program has come to need, and nothing that it does not need any more. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { natsConf } from "../../src/security/NatsConf.ts"

it("deploy/nats.conf is as the services need it; write-nats-conf.ts writes it anew", () => {
  assert.strictEqual(readFileSync(new URL("../../../../deploy/nats.conf", import.meta.url), "utf8"), natsConf())
})

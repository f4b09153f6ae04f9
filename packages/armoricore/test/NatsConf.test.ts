/** deploy/nats.conf grants every consumer that the program has to the service that runs it. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { consumers } from "@armoricore/armoricore/Services"

const conf = readFileSync(fileURLToPath(new URL("../../../deploy/nats.conf", import.meta.url)), "utf8")

for (const { from, name } of consumers) {
  const stream = from !== "all-events" && from.channel === "work" ? "ARMORICORE_WORK" : "ARMORICORE"
  it(`grants ${name}`, () => {
    const own = conf.includes(`"$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}"`)
    const every = conf.includes(`"$JS.API.CONSUMER.MSG.NEXT.${stream}.*"`)
    assert.isTrue(own || every, `add the consumer ${name} to its service's user in deploy/nats.conf`)
  })
}

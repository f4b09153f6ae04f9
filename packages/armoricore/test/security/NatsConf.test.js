/** deploy/nats.conf has exactly the permissions that the program needs. */
import { readFileSync } from "node:fs";
import { assert, it } from "@effect/vitest";
import { natsConf } from "../../src/security/NatsConf.ts";
it("deploy/nats.conf is current (node packages/armoricore/scripts/write-nats-conf.ts)", () => {
    assert.strictEqual(readFileSync(new URL("../../../../deploy/nats.conf", import.meta.url), "utf8"), natsConf());
});

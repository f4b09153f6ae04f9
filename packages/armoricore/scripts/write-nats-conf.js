/** Writes `deploy/nats.conf` at the root of the checkout from the permissions table. */
import { writeFileSync } from "node:fs";
import { natsConf } from "../src/security/NatsConf.ts";
writeFileSync(new URL("../../../deploy/nats.conf", import.meta.url), natsConf());

/** `npm run docs:asyncapi`: writes the AsyncAPI document of the WebSocket interface to `docs/asyncapi.json`. */
import { writeFileSync } from "node:fs";
import { text } from "../src/AsyncApi.ts";
writeFileSync(new URL("../../../docs/asyncapi.json", import.meta.url), text());

/** `npm run docs:client`: writes the types of the client to `src/Protocol.ts`, formatted. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { text } from "./ProtocolTypes.ts";
const file = fileURLToPath(new URL("../src/Protocol.ts", import.meta.url));
writeFileSync(file, text());
execFileSync(fileURLToPath(new URL("../../../node_modules/.bin/oxfmt", import.meta.url)), [file]);

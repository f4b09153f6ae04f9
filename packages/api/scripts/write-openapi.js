/** `npm run docs:openapi`: writes the OpenAPI document of the HTTP interface to `docs/openapi.json`. */
import { writeFileSync } from "node:fs";
import { text } from "../src/OpenApiDocument.ts";
writeFileSync(new URL("../../../docs/openapi.json", import.meta.url), text());

/** The JSON Schema of each event, for publishers in other languages. Generates `docs/events/*.json`. */
import { Schema } from "effect";
import { eventRegistry, schemaOf } from "./EventRegistry.ts";
/** A self-contained JSON Schema (draft 2020-12) of an event's wire form, envelope included. */
export const jsonSchemaOf = (type) => {
    const { schema, definitions } = Schema.toJsonSchemaDocument(schemaOf(type));
    const { publisher, stored } = eventRegistry[type];
    return {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        $id: `armoricore:event:${type}`,
        title: type,
        description: `Published by ${publisher === "outside" ? "backends" : `Armoricore's ${publisher} service`}${stored ? "" : "; live only, never stored"}.`,
        ...schema,
        ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }),
    };
};
export const schemaFileName = (type) => `${type}.json`;
export const schemaFileText = (type) => `${JSON.stringify(jsonSchemaOf(type), null, 2)}\n`;

import { declarations } from "@armoricore/realtime/channels/BuiltInChannels";
import * as PresenceEvents from "@armoricore/realtime/presence/PresenceEvents";
import { Schema } from "effect";
/** The schema of `Schema.Struct({})`. */
const anyObjectOrArray = JSON.stringify(Schema.toJsonSchemaDocument(Schema.Struct({})).schema);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (value) => (Array.isArray(value) ? value.filter(isObject) : []);
const propertyName = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));
/** `sent`: the server writes the value, so that an id is a string; it reads integers too. */
const typeOf = (schema, definitions, sent) => {
    if (!isObject(schema))
        return "unknown";
    const of = (part) => typeOf(part, definitions, sent);
    const reference = schema["$ref"];
    if (typeof reference === "string") {
        const definition = definitions[reference.slice(reference.lastIndexOf("/") + 1)];
        return reference.endsWith("Json") || JSON.stringify(definition)?.includes(reference) === true
            ? "unknown"
            : of(definition);
    }
    if ("const" in schema)
        return JSON.stringify(schema["const"]);
    if (Array.isArray(schema["enum"]))
        return schema["enum"].map((value) => JSON.stringify(value)).join(" | ");
    if (JSON.stringify(schema) === anyObjectOrArray)
        return "Empty";
    const members = [...listOf(schema["anyOf"]), ...listOf(schema["oneOf"])];
    if (members.length > 0) {
        // PHP writes an empty object as `[]`; the server writes `{}`.
        const read = sent && members.length === 2 ? members.filter(({ type }) => type !== "array") : members;
        const types = [...new Set((members.some(({ type }) => type === "object") ? read : members).map(of))];
        const isId = sent && types.includes("string") && types.includes("number");
        return types.filter((type) => !isId || type !== "number").join(" | ");
    }
    switch (schema["type"]) {
        case "string":
            return "string";
        case "integer":
        case "number":
            return "number";
        case "boolean":
            return "boolean";
        case "null":
            return "null";
        case "array": {
            const prefix = listOf(schema["prefixItems"]);
            return prefix.length > 0 ? `readonly [${prefix.map(of).join(", ")}]` : `ReadonlyArray<${of(schema["items"])}>`;
        }
        case "object":
            return objectType(schema, of);
        default:
            return "unknown";
    }
};
const objectType = (schema, of) => {
    const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
    const properties = isObject(schema["properties"]) ? Object.entries(schema["properties"]) : [];
    if (properties.length === 0) {
        const additional = schema["additionalProperties"];
        const patterns = isObject(schema["patternProperties"]) ? Object.values(schema["patternProperties"]) : [];
        const value = isObject(additional) ? additional : patterns[0];
        if (value !== undefined)
            return `Readonly<Record<string, ${of(value)}>>`;
        return additional === false || schema["properties"] !== undefined ? "Empty" : "Readonly<Record<string, unknown>>";
    }
    const fields = properties.map(([name, property]) => `readonly ${propertyName(name)}${required.has(name) ? "" : "?"}: ${of(property)}`);
    return `{ ${fields.join("; ")} }`;
};
const typeOfSchema = (schema, sent) => {
    const { definitions, schema: json } = Schema.toJsonSchemaDocument(schema);
    return typeOf(json, definitions, sent);
};
const channelType = ([name, { client, join, server, topic }]) => {
    const clientEvents = Object.entries(client).map(([event, { payload, reply }]) => `${event}: { readonly payload: ${typeOfSchema(payload, false)}; readonly reply: ${reply === undefined ? "Empty" : typeOfSchema(reply, true)} }`);
    const serverEvents = Object.entries(server).map(([event, { payload }]) => `${event}: ${typeOfSchema(payload, true)}`);
    return `  /** \`${topic}\` */
  readonly ${name}: {
    readonly topic: \`${topic.replaceAll(/\{[^}]+\}/g, "${string}")}\`
    readonly join: { readonly payload: ${typeOfSchema(join.payload, false)}; readonly reply: ${typeOfSchema(join.reply, true)} }
    readonly client: { ${clientEvents.map((event) => `readonly ${event}`).join("; ")} }
    readonly server: { ${serverEvents.map((event) => `readonly ${event}`).join("; ")} }
  }`;
};
const nameOf = (event) => event.replaceAll(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase());
/** The payloads of server events as named types, longest first; several events may share one. */
const namedTypes = () => {
    const names = new Map();
    for (const [channel, { server }] of declarations) {
        for (const [event, { payload }] of Object.entries(server)) {
            const type = typeOfSchema(payload, true);
            if (names.has(type) || !type.startsWith("{"))
                continue;
            const isTaken = [...names.values()].includes(nameOf(event));
            names.set(type, isTaken ? nameOf(`${channel}_${event}`) : nameOf(event));
        }
    }
    names.set(typeOfSchema(PresenceEvents.events.presence_state.payload, true), "PresenceState");
    return [...names].map(([type, name]) => [name, type]).sort(([, a], [, b]) => b.length - a.length);
};
export const text = () => {
    const named = namedTypes();
    const withNames = (source, without = "") => named.reduce((result, [name, type]) => (name === without ? result : result.replaceAll(type, name)), source);
    return `/**
 * The topics of the server with their events, as JSON. Generated by \`npm run docs:client\` from the declarations of the
 * channels; do not edit.
 */

export type Empty = Readonly<Record<string, never>>

${[...named]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, type]) => `export type ${name} = ${withNames(type, name)}`)
        .join("\n\n")}

export interface Channels {
${withNames(declarations.map(channelType).join("\n"))}
}
`;
};

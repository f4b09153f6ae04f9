/**
 * A quick way through a Schema for JSON that needs no conversion, as nearly all does: the checks of the decoded side are
 * made straight on the value, and what passes them is taken as it stands, without unknown fields. Whatever it does not
 * plainly accept it leaves to the Schema's own decoder, which alone converts and names faults.
 *
 * It holds for schemas whose conversions leave alone what has the decoded form already, as those of `Wire` do; the test
 * compares both ways over the whole catalogue. A Schema with a part that is not known here has no quick way.
 */
import { Schema, SchemaAST } from "effect"

/** Not accepted as it stands. */
export const fallback: unique symbol = Symbol.for("@armoricore/domain/leave")

/** The accepted value, or `leave`. Only for what `JSON.parse` made. */
export type FastDecoder = (value: unknown) => unknown

interface FastPath {
  readonly accept: FastDecoder
  /** Nothing in it converts: what is left is no value of this Schema either. */
  readonly exact: boolean
}

export const compile = (schema: Schema.Constraint): FastDecoder | undefined => fastPathOf(schema.ast)?.accept

const fastPathOf = (ast: SchemaAST.AST): FastPath | undefined => {
  const own = uncheckedFastPathOf(ast)
  if (own === undefined) return undefined
  const exact = own.exact && ast.encoding === undefined
  const checks = filters(ast.checks ?? [])
  if (checks.length === 0) return { accept: own.accept, exact }
  const accept = (value: unknown) => {
    const accepted = own.accept(value)
    if (accepted === fallback) return fallback
    for (const check of checks) if (check.run(accepted, ast, options) !== undefined) return fallback
    return accepted
  }
  return { accept, exact }
}

const options = {}

const filters = (checks: ReadonlyArray<SchemaAST.Check<never>>): ReadonlyArray<SchemaAST.Filter<unknown>> =>
  checks.flatMap((check) =>
    check._tag === "FilterGroup"
      ? filters(check.checks)
      : // Its input is what the node accepts, which is known only where the Schema was written.
        [check as unknown as SchemaAST.Filter<unknown>],
  )

const fromPredicate = (accepts: (value: unknown) => boolean): FastPath => ({
  accept: (value) => (accepts(value) ? value : fallback),
  exact: true,
})

const uncheckedFastPathOf = (ast: SchemaAST.AST): FastPath | undefined => {
  if (ast === Schema.Json.ast) return fromPredicate(isJson)
  switch (ast._tag) {
    case "Unknown":
      return fromPredicate(() => true)
    case "Null":
      return fromPredicate((value) => value === null)
    case "String":
      return fromPredicate((value) => typeof value === "string")
    case "Number":
      return fromPredicate((value) => typeof value === "number")
    case "Boolean":
      return fromPredicate((value) => typeof value === "boolean")
    case "Literal":
      return fromPredicate((value) => value === ast.literal)
    case "Union":
      return union(ast)
    case "Arrays":
      return array(ast)
    case "Objects":
      return ast.indexSignatures.length === 0 ? struct(ast) : record(ast)
    default:
      return undefined
  }
}

/** The first member that accepts it; behind one that might have converted it nothing is certain. */
const union = ({ options, types }: SchemaAST.Union): FastPath | undefined => {
  const ways = allOrNone(types)
  if (ways === undefined || options?.mode === "oneOf") return undefined
  const certain = ways.slice(0, ways.findIndex(({ exact }) => !exact) + 1 || ways.length)
  return {
    accept: (value) => {
      for (const { accept } of certain) {
        const accepted = accept(value)
        if (accepted !== fallback) return accepted
      }
      return fallback
    },
    exact: ways.every(({ exact }) => exact),
  }
}

const array = ({ elements, rest }: SchemaAST.Arrays): FastPath | undefined => {
  const [of, ...more] = allOrNone(rest) ?? []
  if (of === undefined || more.length > 0 || elements.length > 0) return undefined
  return {
    accept: (value) => {
      if (!Array.isArray(value)) return fallback
      const accepted: Array<unknown> = []
      for (const given of value) {
        const one = of.accept(given)
        if (one === fallback) return fallback
        accepted.push(one)
      }
      return accepted
    },
    exact: of.exact,
  }
}

const struct = ({ propertySignatures }: SchemaAST.Objects): FastPath | undefined => {
  const ways = allOrNone(propertySignatures.map(({ type }) => type))
  if (ways === undefined) return undefined
  const fields = propertySignatures.flatMap(({ name, type }, index) => {
    const field = ways[index]
    return typeof name !== "string" || name in Object.prototype || field === undefined
      ? []
      : [{ name, accept: field.accept, optional: SchemaAST.isOptional(type) }]
  })
  if (fields.length !== propertySignatures.length) return undefined
  return {
    accept: (value) => {
      if (!isObject(value)) return fallback
      const accepted: Record<string, unknown> = {}
      for (const { accept, name, optional } of fields) {
        const given = value[name]
        if (given === undefined) {
          if (optional && !(name in value)) continue
          return fallback
        }
        const one = accept(given)
        if (one === fallback) return fallback
        accepted[name] = one
      }
      return accepted
    },
    exact: ways.every(({ exact }) => exact),
  }
}

/** Of texts to one kind of value. */
const record = ({ indexSignatures, propertySignatures }: SchemaAST.Objects): FastPath | undefined => {
  const [signature, ...more] = indexSignatures
  if (signature === undefined || more.length > 0 || propertySignatures.length > 0) return undefined
  const { parameter, type } = signature
  const of = fastPathOf(type)
  if (of === undefined || parameter._tag !== "String" || parameter.checks !== undefined) return undefined
  return {
    accept: (value) => {
      // Own and enumerable is all that it has, and it is not shared with anybody who writes.
      if (!isObject(value)) return fallback
      for (const name in value) {
        const given = value[name]
        // Where a part would be changed the whole is left.
        if (of.accept(given) !== given) return fallback
      }
      return value
    },
    exact: of.exact && type === Schema.Json.ast,
  }
}

const allOrNone = (types: ReadonlyArray<SchemaAST.AST>): ReadonlyArray<FastPath> | undefined => {
  const ways = types.map(fastPathOf).filter((one) => one !== undefined)
  return ways.length === types.length ? ways : undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Only a number can be none: `1e999` is read as infinite. */
const isJson = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value !== "object" || value === null) return true
  if (Array.isArray(value)) return value.every(isJson)
  return Object.values(value).every(isJson)
}

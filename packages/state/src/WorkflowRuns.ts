/** The documents of workflow runs. Only `notify` writes them; operators read them. */
import { encodeId } from "@armoricore/domain/EncodedId"
import { Digest, WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { Duration, Schema } from "effect"
import type { Descriptor } from "./Collection.ts"

const maxAge = Duration.days(120)

export const workflowRuns: Descriptor<WorkflowRun, typeof WorkflowRun.Encoded> = {
  bucket: { name: "workflow_run", maxAge },
  schema: WorkflowRun,
}

/** Stored with the runs, under `digest.{hash}`: no run id has this form. */
export const digests: Descriptor<Digest, typeof Digest.Encoded> = { bucket: workflowRuns.bucket, schema: Digest }

const RunListing = Schema.Struct({ run_id: Schema.String })

/** The runs of each workflow and of each user, newest first in the order of the keys. */
export const runListings: Descriptor<typeof RunListing.Type, typeof RunListing.Encoded> = {
  bucket: { name: "workflow_run_list", maxAge },
  schema: RunListing,
}

export const workflowPrefix = "workflow."
export const listingPrefix = {
  ofWorkflow: (name: string): string => `${workflowPrefix}${name}.`,
  ofUser: (userId: string): string => `user.${encodeId(userId)}.`,
}

/** The keys under which a run is listed. */
export const listingKeys = ({
  run_id,
  started_at,
  user_id,
  workflow,
}: Pick<WorkflowRun, "run_id" | "started_at" | "user_id" | "workflow">): ReadonlyArray<string> => {
  const age = String(Math.max(0, latestMillis - Date.parse(started_at))).padStart(timeDigits, "0")
  return [listingPrefix.ofWorkflow(workflow), listingPrefix.ofUser(user_id)].map(
    (prefix) => `${prefix}${age}.${run_id}`,
  )
}

/** The latest time that a date can have. */
const latestMillis = 8_640_000_000_000_000
const timeDigits = 16

/** The state documents of workflow runs and of digests. Only `notify` writes them. */
import { Metadata } from "@armoricore/domain/JsonCodecs";
import { PushOptions, Recipient } from "@armoricore/domain/events/notification";
import { Duration, Schema } from "effect";
import { Instruction } from "./Workflow.ts";
/** The fields of the request that the steps use. */
export const RunContent = Schema.Struct({
    title: Schema.String,
    body: Schema.String,
    data: Schema.Record(Schema.String, Schema.Json),
    context: Schema.Record(Schema.String, Schema.Json),
    template: Schema.optionalKey(Schema.String),
    locale: Schema.optionalKey(Schema.String),
    actor: Schema.optionalKey(Schema.String),
    app: Schema.optionalKey(Schema.String),
    push: Schema.optionalKey(Schema.toType(PushOptions)),
    recipients: Schema.Array(Schema.toType(Recipient)),
});
/** One request of a digest. */
export const DigestItem = Schema.Struct({
    run_id: Schema.String,
    title: Schema.String,
    body: Schema.String,
    data: Schema.toType(Metadata),
    context: Schema.toType(Metadata),
    actor: Schema.optionalKey(Schema.String),
});
export const WorkflowRun = Schema.Struct({
    run_id: Schema.String,
    workflow: Schema.String,
    category: Schema.optionalKey(Schema.String),
    user_id: Schema.String,
    source_event_id: Schema.String,
    request_id: Schema.optionalKey(Schema.String),
    content: RunContent,
    instructions: Schema.Array(Instruction),
    /** The index of the instruction that is next. */
    position: Schema.Int,
    /** `digested`: the run of the first request of its digest continues for it. */
    status: Schema.Literals(["running", "done", "digested", "cancelled"]),
    /** Of the instruction at `position`, epoch milliseconds. */
    wake_at: Schema.optionalKey(Schema.Finite),
    /** The key of the digest that the run is part of. */
    digest_key: Schema.optionalKey(Schema.String),
    digest: Schema.optionalKey(Schema.Array(DigestItem)),
    /** The notifications of the steps so far, by the name of the step. */
    sent: Schema.Record(Schema.String, Schema.String),
    started_at: Schema.String,
    updated_at: Schema.String,
});
export const workflowRuns = {
    bucket: { name: "workflow_run", maxAge: Duration.days(120) },
    schema: WorkflowRun,
};
/** An open digest: the run of its first request waits until it closes. */
export const Digest = Schema.Struct({
    run_id: Schema.String,
    closes_at: Schema.Finite,
    /** The run takes the items; a further request begins the next digest after that. */
    closed: Schema.optionalKey(Schema.Literal(true)),
    items: Schema.Array(DigestItem),
});
/** Stored with the runs, under `digest.{hash}`: no run id has this form. */
export const digests = {
    bucket: workflowRuns.bucket,
    schema: Digest,
};

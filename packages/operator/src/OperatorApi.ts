/**
 * The operator API: every procedure with its payload, success and error types. Server, program, console and tests share
 * this table. Each procedure requires the role `operator`; actions that change something are recorded in the audit log.
 */
import { UserId } from "@armoricore/domain/Ids"
import { Id } from "@armoricore/domain/JsonCodecs"
import { Reason } from "@armoricore/domain/Suppression"
import { Context, Schema } from "effect"
import { Rpc, RpcGroup, RpcMiddleware } from "effect/rpc"
import { AuditEntry, AuditFilter } from "./api/AuditEntry.ts"
import { Circuit, CircuitName } from "./api/Circuit.ts"
import {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterPageRequest,
  DeadLetterSelection,
  DeadLetterWithBody,
} from "./api/DeadLetter.ts"
import { OperatorError, AccessDenied } from "./api/Errors.ts"
import { Job, JobFilter, JobTarget } from "./api/Job.ts"
import { MediaDetail, UserDetail } from "./api/Library.ts"
import { LiveFilter, LiveLine } from "./api/LiveLine.ts"
import {
  AudienceSendInfo,
  RenderedTemplate,
  TemplateRequest,
  TestNotification,
  WorkflowRunDetail,
  WorkflowRunFilter,
  WorkflowRuns,
} from "./api/Notification.ts"
import { Overview } from "./api/Overview.ts"
import { BulkDecided, BulkDecision, Review, ReviewFilter } from "./api/Review.ts"
import { Suppression, SuppressionFilter, SuppressionSubject } from "./api/Suppression.ts"
import { Ban, Kick, Kicked, RoomFilter, Rooms, SocketFilter, Sockets } from "./api/Room.ts"

/** The caller of a procedure; provided by {@link OperatorMiddleware}. */
export class Caller extends Context.Service<Caller, { readonly userId: string; readonly expiresAt: number }>()(
  "@armoricore/operator/Caller",
) {}

/** Authorizes the caller: the token is the header `authorization: Bearer …` of each request. */
export class OperatorMiddleware extends RpcMiddleware.Service<OperatorMiddleware, { provides: Caller }>()(
  "@armoricore/operator/OperatorMiddleware",
  {
    error: AccessDenied,
  },
) {}

/** Set on procedures that change something. */
export const Audited = Context.Reference<boolean>("@armoricore/operator/Audited", { defaultValue: () => false })

export const LogLevel = Schema.Literals(["trace", "debug", "info", "warn", "error", "fatal", "none"])
export type LogLevel = typeof LogLevel.Type

const error = OperatorError
const reason = Schema.String.check(Schema.isMaxLength(200))
const runRef = { run_id: Schema.String }
const deadLetterRef = { id: Schema.String }

export class OperatorApi extends RpcGroup.make(
  Rpc.make("WhoAmI", {
    success: Schema.Struct({ user_id: Schema.String, expires_at: Schema.Finite, version: Schema.String }),
  }),
  Rpc.make("GetOverview", { success: Overview }),
  Rpc.make("WatchOverview", { success: Overview, stream: true }),

  Rpc.make("ListJobs", { payload: JobFilter, success: Schema.Array(Job), error }),
  /** All jobs, then again after a change, at most twice a second. */
  Rpc.make("WatchJobs", { payload: JobFilter, success: Schema.Array(Job), error, stream: true }),
  Rpc.make("GetJob", { payload: JobTarget, success: Job, error }),
  /**
   * Accepted: the worker ends the job, and `media.failed` or `transcription.failed` is published with the code
   * `cancelled`.
   */
  Rpc.make("CancelJob", { payload: JobTarget, error }).annotate(Audited, true),
  Rpc.make("RetryJob", { payload: JobTarget, error }).annotate(Audited, true),

  /** Oldest first. */
  Rpc.make("ListDeadLetters", { payload: DeadLetterFilter, success: Schema.Array(DeadLetter), error }),
  /** Newest first, with the number that matches, the total, and the causes. */
  Rpc.make("SearchDeadLetters", { payload: DeadLetterPageRequest, success: DeadLetterPage, error }),
  /** The ids that match, oldest first: what a bulk action works on. */
  Rpc.make("SelectDeadLetters", {
    payload: DeadLetterSelection,
    success: Schema.Struct({ ids: Schema.Array(Schema.String) }),
    error,
  }),
  Rpc.make("GetDeadLetter", { payload: deadLetterRef, success: DeadLetterWithBody, error }),
  /** Unchanged, or with an edited body, which must be a valid event. */
  Rpc.make("ReplayDeadLetter", {
    payload: { ...deadLetterRef, body: Schema.optionalKey(Schema.String) },
    error,
  }).annotate(Audited, true),
  Rpc.make("DiscardDeadLetter", { payload: deadLetterRef, error }).annotate(Audited, true),

  /** With captions, and what its user was sent about it. */
  Rpc.make("GetMedia", { payload: { media_id: Id }, success: MediaDetail, error }),
  /** Sockets, media, notifications and events. A user without any of them is not an error. */
  Rpc.make("GetUser", { payload: { user_id: UserId }, success: UserDetail, error }),

  /** Newest first. Reads at most 2,000 runs of each workflow to find those with the status. */
  Rpc.make("ListWorkflowRuns", { payload: WorkflowRunFilter, success: WorkflowRuns, error }),
  Rpc.make("GetWorkflowRun", { payload: runRef, success: WorkflowRunDetail, error }),
  /** Continues a failed run with the step that failed. */
  Rpc.make("RetryWorkflowRun", { payload: runRef, error }).annotate(Audited, true),
  /** Ends what was not sent yet of a notification, a workflow run or an audience send. */
  Rpc.make("CancelNotification", { payload: { id: Schema.String }, error }).annotate(Audited, true),
  /** Newest first. */
  Rpc.make("ListAudienceSends", { success: Schema.Array(AudienceSendInfo), error }),
  Rpc.make("ListTemplates", { success: Schema.Array(Schema.String), error }),
  Rpc.make("PreviewTemplate", { payload: TemplateRequest, success: RenderedTemplate, error }),
  /** Sends a notification now, as if a backend had published its request. */
  Rpc.make("AddTestNotification", {
    payload: TestNotification,
    success: Schema.Struct({ notification_id: Schema.String }),
    error,
  }).annotate(Audited, true),

  Rpc.make("ListRooms", { payload: RoomFilter, success: Rooms, error }),
  Rpc.make("ListSockets", { payload: SocketFilter, success: Sockets, error }),
  Rpc.make("Kick", { payload: Kick, success: Kicked, error }).annotate(Audited, true),
  Rpc.make("Ban", { payload: Ban, success: Kicked, error }).annotate(Audited, true),

  Rpc.make("ListCircuits", {
    success: Schema.Struct({ circuits: Schema.Array(Circuit), unresponsive: Schema.Array(Schema.String) }),
    error,
  }),
  Rpc.make("PauseCircuit", { payload: { name: CircuitName, reason }, error }).annotate(Audited, true),
  /** Ends a pause and closes the circuit: the next call is made at once. */
  Rpc.make("ResumeCircuit", { payload: { name: CircuitName }, error }).annotate(Audited, true),

  /** Ascending by hash. */
  Rpc.make("ListSuppressions", {
    payload: SuppressionFilter,
    success: Schema.Struct({ entries: Schema.Array(Suppression), next: Schema.optionalKey(Schema.String) }),
    error,
  }),
  Rpc.make("AddSuppression", {
    payload: { ...SuppressionSubject, reason: Schema.optionalKey(Reason), note: Schema.optionalKey(reason) },
    success: Suppression,
    error,
  }).annotate(Audited, true),
  Rpc.make("RemoveSuppression", { payload: SuppressionSubject, error }).annotate(Audited, true),

  /** Newest first. */
  Rpc.make("ListReviews", { payload: ReviewFilter, success: Schema.Array(Review), error }),
  Rpc.make("ApproveReview", { payload: { review_id: Schema.String }, error }).annotate(Audited, true),
  Rpc.make("RemoveReview", { payload: { review_id: Schema.String }, error }).annotate(Audited, true),
  Rpc.make("DecideReviews", { payload: BulkDecision, success: BulkDecided, error }).annotate(Audited, true),

  /** Of one process, or of all. The level lasts until the process ends. */
  Rpc.make("SetLogLevel", {
    payload: { level: LogLevel, node: Schema.optionalKey(Schema.String) },
    success: Schema.Struct({ nodes: Schema.Array(Schema.String), unresponsive: Schema.Array(Schema.String) }),
    error,
  }).annotate(Audited, true),

  /** Events and log lines of all processes from now on. */
  Rpc.make("WatchLive", { payload: LiveFilter, success: LiveLine, error, stream: true }),

  /** Newest first. */
  Rpc.make("ListAudit", { payload: AuditFilter, success: Schema.Array(AuditEntry), error }),
).middleware(OperatorMiddleware) {}

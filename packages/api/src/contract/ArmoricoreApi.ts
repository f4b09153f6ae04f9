/** The public HTTP API as a contract: `ApiRoutes` serves it, `ApiClient` calls it, `openapi.json` describes it. */
import { HttpApi, OpenApi } from "effect/http-api"
import { CaptionApi } from "./CaptionApi.ts"
import { AudienceApi } from "./AudienceApi.ts"
import { DeviceApi } from "./DeviceApi.ts"
import { ErasureApi } from "./ErasureApi.ts"
import { EventApi } from "./EventApi.ts"
import { InboxApi } from "./InboxApi.ts"
import { MediaApi } from "./MediaApi.ts"
import { MemberApi } from "./MemberApi.ts"
import { NotificationApi } from "./NotificationApi.ts"
import { ReadStateApi } from "./ReadStateApi.ts"
import { PreferenceApi } from "./PreferenceApi.ts"
import { SuppressionApi } from "./SuppressionApi.ts"
import { TopicApi } from "./TopicApi.ts"
import { TranscriptApi } from "./TranscriptApi.ts"
import { TusApi } from "./TusApi.ts"
import { UploadApi } from "./UploadApi.ts"
import { WorkflowRunApi } from "./WorkflowRunApi.ts"

export class ArmoricoreApi extends HttpApi.make("armoricore")
  .add(EventApi)
  .add(UploadApi)
  .add(TusApi)
  .add(MediaApi)
  .add(TranscriptApi)
  .add(CaptionApi)
  .add(NotificationApi)
  .add(WorkflowRunApi)
  .add(InboxApi)
  .add(DeviceApi)
  .add(PreferenceApi)
  .add(AudienceApi)
  .add(SuppressionApi)
  .add(TopicApi)
  .add(ErasureApi)
  .add(ReadStateApi)
  .add(MemberApi)
  .annotateMerge(
    OpenApi.annotations({
      title: "Armoricore HTTP API",
      version: "1.0.0",
      description:
        "Every error is `application/problem+json` (RFC 9457) with a stable `code`. " +
        "docs/asyncapi.json describes the WebSocket interface.",
    }),
  ) {}

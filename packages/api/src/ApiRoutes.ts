/** Serves {@link ArmoricoreApi}: adds all its routes and `GET /openapi.json` to the HTTP router. */
import { SuppressionList } from "@armoricore/state/SuppressionList"
import { Audiences } from "@armoricore/state/Audiences"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Effect, Layer } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import * as AudienceHandlers from "./AudienceHandlers.ts"
import * as Authentication from "./Authentication.ts"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { NoStore, PublisherCredentials } from "./contract/Security.ts"
import * as CaptionHandlers from "./CaptionHandlers.ts"
import * as Cors from "./Cors.ts"
import * as DeviceHandlers from "./DeviceHandlers.ts"
import * as ErasureHandlers from "./ErasureHandlers.ts"
import * as EventHandlers from "./EventHandlers.ts"
import * as InboxHandlers from "./InboxHandlers.ts"
import * as MediaHandlers from "./MediaHandlers.ts"
import * as MemberHandlers from "./MemberHandlers.ts"
import * as NotificationHandlers from "./NotificationHandlers.ts"
import * as OpenApiDocument from "./OpenApiDocument.ts"
import * as ReadStateHandlers from "./ReadStateHandlers.ts"
import * as PreferenceHandlers from "./PreferenceHandlers.ts"
import * as SuppressionHandlers from "./SuppressionHandlers.ts"
import * as TopicHandlers from "./TopicHandlers.ts"
import * as TranscriptHandlers from "./TranscriptHandlers.ts"
import * as TusHandlers from "./tus/TusHandlers.ts"
import * as UploadHandlers from "./UploadHandlers.ts"
import * as WorkflowRunHandlers from "./WorkflowRunHandlers.ts"

export interface ApiOptions {
  readonly events: EventHandlers.EventsOptions
  readonly uploads: UploadHandlers.UploadsOptions
  readonly resumable: TusHandlers.TusOptions
  readonly transcripts: TranscriptHandlers.TranscriptOptions
  /** Of pages that may use the API, beside those of its own origin; `*` stands for every one. */
  readonly origins?: ReadonlyArray<string>
}

const noStore = Layer.succeed(
  NoStore,
  NoStore.of((handler) => Effect.map(handler, HttpServerResponse.setHeader("cache-control", "no-store"))),
)

const publisherCredentials = Layer.succeed(
  PublisherCredentials,
  PublisherCredentials.of({ bearer: (handler) => handler, signature: (handler) => handler }),
)

export const layer = ({ events, origins = [], resumable, transcripts, uploads }: ApiOptions) =>
  // The middleware that is added first is the outermost one: CORS also covers what the protocol of uploads answers itself.
  Layer.provideMerge(routes({ events, resumable, transcripts, uploads }), Cors.layer(origins))

const routes = ({ events, resumable, transcripts, uploads }: Omit<ApiOptions, "origins">) =>
  Layer.mergeAll(
    OpenApiDocument.layer,
    TusHandlers.protocol(uploads),
    HttpApiBuilder.layer(ArmoricoreApi).pipe(
      Layer.provide([
        EventHandlers.layer(events),
        UploadHandlers.layer(uploads),
        TusHandlers.layer(uploads, resumable),
        MediaHandlers.layer({ tokenKey: uploads.tokenKey }),
        ErasureHandlers.layer,
        CaptionHandlers.layer({ bucket: uploads.bucket }),
        TranscriptHandlers.layer(transcripts),
        NotificationHandlers.layer,
        WorkflowRunHandlers.layer({ signingKeys: events.signingKeys }),
        Layer.provide(SuppressionHandlers.layer, SuppressionList.layer),
        InboxHandlers.layer({ signingKeys: events.signingKeys }),
        Layer.provide(DeviceHandlers.layer({ signingKeys: events.signingKeys }), UserDevices.layer),
        ReadStateHandlers.layer({ signingKeys: events.signingKeys }),
        Layer.provide(PreferenceHandlers.layer({ signingKeys: events.signingKeys }), UserPreferences.layer),
        Layer.provide(AudienceHandlers.layer({ signingKeys: events.signingKeys }), Audiences.layer),
        TopicHandlers.layer({ signingKeys: events.signingKeys }),
        MemberHandlers.layer({ signingKeys: events.signingKeys }),
      ]),
      Layer.provide([Authentication.layer, noStore, publisherCredentials]),
    ),
  )

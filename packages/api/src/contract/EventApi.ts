/** `POST /v1/events`: publishes events over HTTP, for a backend without a bus client. */
import { Envelope } from "@armoricore/domain/EventRegistry"
import { EventId } from "@armoricore/domain/Ids"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"
import { PublisherCredentials } from "./Security.ts"

/** The wire form of {@link Envelope}: decoding normalises ids, so the client sends the encoded fields. */
const EventDocument = Schema.toEncoded(Envelope).annotate({
  identifier: "Event",
  description: "The envelope of an event. docs/events has the JSON Schema of each type with its payload.",
})

export const EventReceipt = Schema.Struct({
  event_id: EventId,
  duplicate: Schema.Boolean.annotate({
    description: "The bus already had an event with this id. RabbitMQ cannot tell: false there.",
  }),
}).annotate({ identifier: "EventReceipt" })

export class EventApi extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.post("publish", "/v1/events", {
      payload: Schema.Union([EventDocument, Schema.Array(EventDocument)]),
      success: Schema.Union([EventReceipt, Schema.Array(EventReceipt)]).pipe(HttpApiSchema.status(202)),
      error: problems(400, 401, 403, 413, 422, 503),
    })
      .middleware(PublisherCredentials)
      .annotateMerge(
        OpenApi.annotations({
          summary: "Publish one event or an array of events",
          description:
            "Responds with 202 once the bus has acknowledged every event. All events of an array are validated " +
            "before the first is published. The bus receives a single event byte for byte. At most 1 MB. A media id " +
            "that belongs to another user, and an `upload_token` for another file, media or user, are refused with 403.",
        }),
      ),
  )
  .annotateMerge(OpenApi.annotations({ title: "Events" })) {}

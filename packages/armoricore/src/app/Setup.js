/** Creates or checks streams, queues and buckets. Idempotent. */
import { EventBus } from "@armoricore/bus/EventBus";
import { History } from "@armoricore/history/History";
import { KeyValue } from "@armoricore/state/KeyValue";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect } from "effect";
import { bucketsFor } from "../security/NatsPermissions.ts";
import { consumersWith, serviceNames, webhookConsumers } from "./Services.ts";
import { Settings } from "../settings/Settings.ts";
/** Sets up the resources of these services; returns one line per resource. */
export const setupResources = Effect.fnUntraced(function* (services) {
    const settings = yield* Settings;
    const bus = yield* EventBus;
    const state = yield* KeyValue;
    const history = yield* History;
    const storage = yield* ObjectStorage;
    const webhook = settings.WEBHOOK_URL === undefined ? [] : webhookConsumers;
    const lines = [
        ...(yield* bus.setup([...consumersWith(settings, services), ...webhook])),
        ...(yield* state.setup(bucketsFor(services))),
        ...(services.has("realtime") ? yield* history.setup : []),
    ];
    return [...lines, yield* storage.setup(settings.OBJECT_STORAGE_BUCKET)];
});
/**
 * Setup at startup. With NATS_SETUP=verify the process may only check, and only the resources of its own services. On
 * RabbitMQ it creates only the queues of its own services: the queue of a service that does not run would fill up.
 */
export const setupFor = (services) => Effect.flatMap(Settings, ({ MESSAGE_BUS_URL, NATS_SETUP }) => setupResources(NATS_SETUP === "verify" || isRabbitMq(MESSAGE_BUS_URL) ? services : new Set(serviceNames)));
const isRabbitMq = (servers) => servers?.some((server) => server.startsWith("amqp")) === true;

/**
 * The bus and the state that a child of the chaos run works on: the broker at `CHAOS_BUS`, with RabbitMQ the state at
 * `CHAOS_STATE`; without a broker the embedded engine in `CHAOS_FOLDER`.
 */
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus";
import * as NatsBus from "@armoricore/bus/nats/NatsBus";
import * as RabbitBus from "@armoricore/bus/rabbitmq/RabbitBus";
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine";
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState";
import * as NatsState from "@armoricore/state/nats/NatsState";
import * as PostgresState from "@armoricore/state/postgres/PostgresState";
import { Effect, Layer, Logger, Redacted, References } from "effect";
const maxBytes = 64 * 1024 ** 2;
export const adaptersFor = ({ bus, state }, folder, replicas) => {
    if (bus === "")
        return Layer.mergeAll(EmbeddedBus.layer, EmbeddedState.layer).pipe(Layer.provide(EmbeddedEngine.layerShared({ folder })));
    const servers = bus.split(",");
    return bus.startsWith("amqp:")
        ? Layer.mergeAll(RabbitBus.layer({ servers, maxBytes }), PostgresState.layer({ url: Redacted.make(state) }))
        : NatsState.layer({ replicas }).pipe(Layer.provideMerge(NatsBus.layerWithConnection({ servers, maxBytes, replicas })));
};
/** The environment from which {@link busAndState} reads them. */
export const environmentOf = ({ bus, state }) => ({
    CHAOS_BUS: bus,
    CHAOS_STATE: state,
});
export const busAndState = adaptersFor({ bus: process.env["CHAOS_BUS"] ?? "", state: process.env["CHAOS_STATE"] ?? "" }, process.env["CHAOS_FOLDER"] ?? "", Number(process.env["CHAOS_REPLICAS"] ?? 1));
/** stdout has the lines that the run counts. */
export const warningsOnStderr = Layer.mergeAll(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]), Layer.succeed(References.MinimumLogLevel, "Warn"));
/** Ends with SIGTERM. */
export const untilSigterm = Effect.callback((resume) => {
    process.once("SIGTERM", () => resume(Effect.void));
});

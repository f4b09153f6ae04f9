/** Reads and changes the log level of this process while it runs, and reads its log lines. The program provides it. */
import { Context, Layer } from "effect";
export class LogControl extends Context.Service()("@armoricore/operator/LogControl") {
    /** The level is always `info`, changes are ignored, and there are no lines. */
    static layerNoop = Layer.succeed(LogControl, { get: () => "info", set: () => { }, onLine: () => () => { } });
}

import { Context } from "effect";
export class KeyValue extends Context.Service()("@armoricore/state/KeyValue") {
}

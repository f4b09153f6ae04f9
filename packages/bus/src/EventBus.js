import { Context } from "effect";
export class EventBus extends Context.Service()("@armoricore/bus/EventBus") {
}

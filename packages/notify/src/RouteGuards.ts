/** The guards of all routes by channel, shared by everything that sends: a provider's outage is one outage. */
import type { Channel } from "@armoricore/domain/NotificationState"
import { Context, Effect, Layer } from "effect"
import { Routes } from "./Route.ts"
import * as RouteGuard from "./RouteGuard.ts"

export class RouteGuards extends Context.Service<
  RouteGuards,
  {
    /** In the order in which they are to be tried. */
    readonly of: (channel: Channel) => ReadonlyArray<RouteGuard.RouteGuard>
  }
>()("@armoricore/notify/RouteGuards") {
  /** Knows the routes that were registered before it was built. */
  static readonly layer: Layer.Layer<RouteGuards, never, Routes> = Layer.effect(
    RouteGuards,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const routes = yield* Routes
  const guards = new Map<Channel, ReadonlyArray<RouteGuard.RouteGuard>>()
  // A provider that serves two channels has one guard.
  const byRoute = new Map<string, RouteGuard.RouteGuard>()
  for (const channel of ["fcm", "apns", "web_push", "email"] as const) {
    const mine = yield* Effect.forEach(routes.of(channel), (route) => {
      const known = byRoute.get(route.name)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.tap(RouteGuard.make(route), (guard) => Effect.sync(() => void byRoute.set(route.name, guard)))
    })
    guards.set(channel, mine)
  }
  return RouteGuards.of({ of: (channel) => guards.get(channel) ?? [] })
})

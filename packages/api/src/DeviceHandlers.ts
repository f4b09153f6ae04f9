/** `/v1/users/{id}/devices`: the registry to which a request with only a `user_id` goes. */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { Device } from "@armoricore/domain/Device"
import type { Platform } from "@armoricore/domain/Device"
import type { SigningKeys } from "@armoricore/domain/Signature"
import { tokenHashOf, UserDevices } from "@armoricore/state/UserDevices"
import { Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { DeviceRegistration } from "./contract/DeviceApi.ts"
import { type ApiError, asProblem, problem } from "./Problem.ts"
import * as RequestBody from "./RequestBody.ts"
import * as UserAccess from "./UserAccess.ts"

type Request = HttpServerRequest.HttpServerRequest

export const layer = ({ signingKeys }: { readonly signingKeys: SigningKeys }) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "devices",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<Tokens | Revocations>()
      const devices = yield* UserDevices
      const respond = <A>(handler: Effect.Effect<A, ApiError, Tokens | Revocations>) =>
        asProblem(Effect.provideContext(handler, context))

      const list = Effect.fn("DeviceApi.list")(function* (request: Request, id: string) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys)
        return HttpServerResponse.jsonUnsafe({ devices: (yield* devices.list(userId)).map(toResponse) })
      })

      const register = Effect.fn("DeviceApi.register")(function* (request: Request, id: string, deviceId: string) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys)
        yield* checkDeviceId(deviceId)
        const { token, ...fields } = yield* RequestBody.decode(DeviceRegistration, body)
        const { created, device } = yield* devices.register(userId, {
          ...fields,
          ...(token === undefined ? {} : { token: tokenOf(fields.platform, token) }),
          device_id: deviceId,
        })
        if (created) yield* Effect.logInfo("a device was registered", { user_id: userId, platform: device.platform })
        return toResponse(device)
      })

      const remove = Effect.fn("DeviceApi.remove")(function* (request: Request, id: string, deviceId: string) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys)
        yield* checkDeviceId(deviceId)
        if (!(yield* devices.remove(userId, deviceId)))
          return yield* problem(404, "not_found", `the user has no device ${deviceId}`, "device_id")
        return HttpServerResponse.empty({ status: 204 })
      })

      return handlers
        .handleRaw("list", ({ params, request }) => respond(list(request, params.id)))
        .handleRaw("register", ({ params, request }) => respond(register(request, params.id, params.device_id)))
        .handleRaw("remove", ({ params, request }) => respond(remove(request, params.id, params.device_id)))
    }),
  )

const checkDeviceId = (id: string) =>
  /^[A-Za-z0-9._-]{1,128}$/.test(id)
    ? Effect.void
    : Effect.fail(
        problem(
          422,
          "invalid",
          "the device id in the path must have 1 to 128 characters of A-Z a-z 0-9 . _ -",
          "device_id",
        ),
      )

const toResponse = (device: Device) => {
  const { token: _token, web_push: _subscription, invalid: _invalid, ...visible } = device
  return { ...visible, token_hash: tokenHashOf(device) }
}

/** As its target has it: providers' reports name a token by its hash. */
const tokenOf = (platform: Platform, token: string): string =>
  platform === "sms" ? token.replace(/[\s().-]/g, "") : token.trim()

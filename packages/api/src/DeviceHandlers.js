import { tokenHashOf, UserDevices } from "@armoricore/state/UserDevices";
import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { DeviceRegistration } from "./contract/DeviceApi.ts";
import { asProblem, problem } from "./Problem.ts";
import * as RequestBody from "./RequestBody.ts";
import * as UserAccess from "./UserAccess.ts";
export const layer = ({ signingKeys }) => HttpApiBuilder.group(ArmoricoreApi, "devices", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const devices = yield* UserDevices;
    const respond = (handler) => asProblem(Effect.provideContext(handler, context));
    const list = Effect.fn("DeviceApi.list")(function* (request, id) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys);
        return HttpServerResponse.jsonUnsafe({ devices: (yield* devices.list(userId)).map(toResponse) });
    });
    const register = Effect.fn("DeviceApi.register")(function* (request, id, deviceId) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys);
        yield* checkDeviceId(deviceId);
        const { token, ...fields } = yield* RequestBody.decode(DeviceRegistration, body);
        const { created, device } = yield* devices.register(userId, {
            ...fields,
            ...(token === undefined ? {} : { token: token.trim() }),
            device_id: deviceId,
        });
        if (created)
            yield* Effect.logInfo("a device was registered", { user_id: userId, platform: device.platform });
        return toResponse(device);
    });
    const remove = Effect.fn("DeviceApi.remove")(function* (request, id, deviceId) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys);
        yield* checkDeviceId(deviceId);
        if (!(yield* devices.remove(userId, deviceId)))
            return yield* problem(404, "not_found", `the user has no device ${deviceId}`, "device_id");
        return HttpServerResponse.empty({ status: 204 });
    });
    return handlers
        .handleRaw("list", ({ params, request }) => respond(list(request, params.id)))
        .handleRaw("register", ({ params, request }) => respond(register(request, params.id, params.device_id)))
        .handleRaw("remove", ({ params, request }) => respond(remove(request, params.id, params.device_id)));
}));
const checkDeviceId = (id) => /^[A-Za-z0-9._-]{1,128}$/.test(id)
    ? Effect.void
    : Effect.fail(problem(422, "invalid", "the device id in the path must have 1 to 128 characters of A-Z a-z 0-9 . _ -", "device_id"));
const toResponse = (device) => {
    const { token: _token, web_push: _subscription, invalid: _invalid, ...visible } = device;
    return { ...visible, token_hash: tokenHashOf(device) };
};

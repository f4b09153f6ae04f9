/**
 * The registry of devices: one document per user, and one per token that names its user, so that a token which moves to
 * another user (a second account on the same phone) leaves the first, and a provider's report finds its device.
 */
import { type Device, DeviceList, platforms, TokenOwner } from "@armoricore/domain/Device"
import { encodeId } from "@armoricore/domain/EncodedId"
import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import { hash } from "node:crypto"
import * as Collection from "./Collection.ts"
import type { KeyValue, StateError } from "./KeyValue.ts"
import { hashOfAddress } from "./SuppressionList.ts"

/** The usual device: a token and no optional field but `app`, `locale` and `time_zone`. */
const isUsualDevice = (json: unknown): json is Device => {
  if (typeof json !== "object" || json === null) return false
  for (const [name, value] of Object.entries(json)) {
    if (typeof value !== "string" || !usualFields.has(name)) return false
    if (name === "platform" && !tokenPlatforms.has(value)) return false
  }
  return "device_id" in json && "platform" in json && "registered_at" in json
}
const usualFields = new Set(["device_id", "platform", "token", "app", "locale", "time_zone", "registered_at"])
const tokenPlatforms: ReadonlySet<string> = new Set(platforms)

export const userDevices: Collection.Descriptor<DeviceList, typeof DeviceList.Encoded> = {
  bucket: { name: "user_device", maxAge: "never" },
  schema: DeviceList,
  skipEncode: true,
  isValue: (json): json is DeviceList =>
    typeof json === "object" &&
    json !== null &&
    "devices" in json &&
    Array.isArray(json.devices) &&
    json.devices.every(isUsualDevice),
}

/** Stored with the devices; keys of users begin with `user.`, those of tokens with `token.`. */
export const tokenOwners: Collection.Descriptor<typeof TokenOwner.Type, typeof TokenOwner.Encoded> = {
  bucket: userDevices.bucket,
  schema: TokenOwner,
  skipEncode: true,
}

/** Further registrations replace the device that registered longest ago. */
export const maxDevices = 50
/** An invalid device is deleted after this time: until then a wrong report can be taken back. */
const invalidRetention = Duration.days(7)

export type Registration = Omit<Device, "registered_at" | "invalid">

export interface InvalidToken {
  readonly tokenHash: string
  readonly reason: string
  /** Epoch milliseconds: a token that was registered later is valid. */
  readonly since: number
}

export class UserDevices extends Context.Service<
  UserDevices,
  {
    /** Adds or replaces the device. `created: false`: the device was registered before. */
    readonly register: (
      userId: string,
      device: Registration,
    ) => Effect.Effect<{ readonly device: Device; readonly created: boolean }, StateError>
    /** False: the user has no such device. */
    readonly remove: (userId: string, deviceId: string) => Effect.Effect<boolean, StateError>
    /** Devices that receive notifications, in the order of their registration. */
    readonly list: (userId: string) => Effect.Effect<ReadonlyArray<Device>, StateError>
    /** `list` of several users, in their order. */
    readonly listMany: (
      userIds: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<ReadonlyArray<Device>>, StateError>
    /** Returns the user whose device became invalid; none if the token is unknown or was registered again since. */
    readonly markInvalid: (token: InvalidToken) => Effect.Effect<Option.Option<string>, StateError>
    /** The report was wrong: the device receives notifications again. */
    readonly restore: (tokenHash: string) => Effect.Effect<void, StateError>
    /** Deletes every device of the user. */
    readonly clear: (userId: string) => Effect.Effect<void, StateError>
  }
>()("@armoricore/state/UserDevices") {
  static readonly layer: Layer.Layer<UserDevices, never, KeyValue> = Layer.effect(
    UserDevices,
    Effect.suspend(() => make),
  )
}

/** As in `device.token_invalid`: SHA-256 of the token, of the endpoint, or of the address in its canonical form. */
export const tokenHashOf = ({ platform, token = "", web_push }: Pick<Device, "platform" | "token" | "web_push">) =>
  platform === "email" ? hashOfAddress(token) : hash("sha256", web_push?.endpoint ?? token)

const make = Effect.gen(function* () {
  const lists = yield* Collection.make(userDevices)
  const owners = yield* Collection.make(tokenOwners)

  const change = <A>(userId: string, update: (devices: ReadonlyArray<Device>) => readonly [A, ReadonlyArray<Device>]) =>
    lists.modifyOrRetry(userKey(userId), (found) =>
      Effect.sync(() => {
        const before = devicesOf(found)
        const [result, devices] = update(before)
        return [result, devices === before ? Option.none() : Option.some({ devices })] as const
      }),
    )

  const ownerOf = (tokenHash: string) =>
    Effect.map(
      owners.get(tokenKey(tokenHash)),
      Option.map(({ value }) => value),
    )

  const forget = Effect.fnUntraced(function* (userId: string, device: Device) {
    const key = tokenKey(tokenHashOf(device))
    const owner = yield* owners.get(key)
    if (Option.isNone(owner)) return
    const { revision, value } = owner.value
    if (value.user_id !== userId || value.device_id !== device.device_id) return
    // Registered again by another user or device meanwhile: then the entry is that one's.
    yield* Effect.catchTag(owners.remove(key, revision), "Conflict", () => Effect.void)
  })

  const remove = Effect.fn("UserDevices.remove")(function* (userId: string, deviceId: string) {
    const removed = yield* change(userId, (devices) => {
      const found = devices.find(({ device_id }) => device_id === deviceId)
      return [found, found === undefined ? devices : devices.filter((device) => device !== found)]
    })
    if (removed !== undefined) yield* forget(userId, removed)
    return removed !== undefined
  })

  return UserDevices.of({
    register: Effect.fn("UserDevices.register")(function* (userId, registration) {
      const now = yield* Clock.currentTimeMillis
      const device: Device = { ...registration, registered_at: new Date(now).toISOString() }
      const tokenHash = tokenHashOf(device)
      const owner = yield* ownerOf(tokenHash)
      // The entry of the token first: after an interruption the next registration completes both.
      yield* owners.put(tokenKey(tokenHash), { user_id: userId, device_id: device.device_id })
      if (Option.isSome(owner) && owner.value.user_id !== userId)
        yield* change(owner.value.user_id, (devices) => [undefined, withoutToken(devices, tokenHash)])
      const replaced = yield* change(userId, (devices) => {
        const isOld = ({ invalid }: Device) =>
          invalid !== undefined && Date.parse(invalid.at) < now - Duration.toMillis(invalidRetention)
        const others = withoutToken(devices, tokenHash).filter(
          (other) => other.device_id !== device.device_id && !isOld(other),
        )
        const retained = others.slice(Math.max(0, others.length - maxDevices + 1))
        const previous = devices.find(({ device_id }) => device_id === device.device_id)
        const gone = devices.filter((other) => !retained.includes(other) && tokenHashOf(other) !== tokenHash)
        return [{ gone, created: previous === undefined }, [...retained, device]]
      })
      yield* Effect.forEach(replaced.gone, (other) => forget(userId, other), { discard: true })
      return { device, created: replaced.created }
    }),
    remove,
    list: Effect.fn("UserDevices.list")(function* (userId) {
      return validOf(devicesOf(yield* lists.get(userKey(userId))))
    }),
    listMany: Effect.fn("UserDevices.listMany")(function* (userIds) {
      return (yield* lists.getMany(userIds.map(userKey))).map((found) => validOf(found?.value.devices ?? none))
    }),
    markInvalid: Effect.fn("UserDevices.markInvalid")(function* ({ reason, since, tokenHash }) {
      const owner = yield* ownerOf(tokenHash)
      if (Option.isNone(owner)) return Option.none()
      const { user_id } = owner.value
      const at = new Date(yield* Clock.currentTimeMillis).toISOString()
      const marked = yield* change(user_id, (devices) => {
        const found = devices.find((device) => device.invalid === undefined && tokenHashOf(device) === tokenHash)
        if (found === undefined || Date.parse(found.registered_at) > since) return [false, devices]
        const invalid = { ...found, invalid: { reason, at } }
        return [true, devices.map((device) => (device === found ? invalid : device))]
      })
      return marked ? Option.some(user_id) : Option.none()
    }),
    restore: Effect.fn("UserDevices.restore")(function* (tokenHash) {
      const owner = yield* ownerOf(tokenHash)
      if (Option.isNone(owner)) return
      yield* change(owner.value.user_id, (devices) => {
        const found = devices.find((device) => device.invalid !== undefined && tokenHashOf(device) === tokenHash)
        if (found === undefined) return [undefined, devices]
        const { invalid: _invalid, ...restored } = found
        return [undefined, devices.map((device) => (device === found ? restored : device))]
      })
    }),
    clear: Effect.fn("UserDevices.clear")(function* (userId) {
      const devices = yield* change(userId, (all) => [all, all.length === 0 ? all : []])
      yield* Effect.forEach(devices, (device) => forget(userId, device), { discard: true })
      yield* Collection.retryConflicts(lists.remove(userKey(userId)))
    }),
  })
})

const userKey = (userId: string): string => `user.${encodeId(userId)}`
const tokenKey = (tokenHash: string): string => `token.${tokenHash}`

const none: ReadonlyArray<Device> = []

const validOf = (devices: ReadonlyArray<Device>): ReadonlyArray<Device> =>
  devices.every(({ invalid }) => invalid === undefined)
    ? devices
    : devices.filter(({ invalid }) => invalid === undefined)

const devicesOf = (found: Option.Option<Collection.Document<DeviceList>>): ReadonlyArray<Device> =>
  Option.match(found, { onNone: () => none, onSome: ({ value }) => value.devices })

const withoutToken = (devices: ReadonlyArray<Device>, tokenHash: string): ReadonlyArray<Device> => {
  const others = devices.filter((device) => tokenHashOf(device) !== tokenHash)
  return others.length === devices.length ? devices : others
}

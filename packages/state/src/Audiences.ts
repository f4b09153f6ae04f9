/**
 * The members of audiences. The ids of an audience are spread over 1,024 documents by their hash: adding a member changes one
 * small document, and a send reads one after the other, so that a million members need little memory.
 */
import { audienceShards, AudienceSend, AudienceShard } from "@armoricore/domain/Audience"
import { sha256 } from "@armoricore/domain/DeterministicId"
import { Context, Duration, Effect, Layer, Option } from "effect"
import * as Collection from "./Collection.ts"
import type { KeyValue, StateError } from "./KeyValue.ts"

export const audienceMembers: Collection.Descriptor<AudienceShard, typeof AudienceShard.Encoded> = {
  bucket: { name: "audience", maxAge: "never" },
  schema: AudienceShard,
  skipEncode: true,
}

export const audienceSends: Collection.Descriptor<AudienceSend, typeof AudienceSend.Encoded> = {
  bucket: { name: "audience_send", maxAge: Duration.days(30) },
  schema: AudienceSend,
  skipEncode: true,
}

export interface MemberPage {
  readonly user_ids: ReadonlyArray<string>
  /** The cursor of the next page; absent: this is the last page. */
  readonly next?: string
}

export class Audiences extends Context.Service<
  Audiences,
  {
    /** Returns how many of the users were not members before. */
    readonly add: (audience: string, userIds: ReadonlyArray<string>) => Effect.Effect<number, StateError>
    /** Returns how many of the users were members. */
    readonly remove: (audience: string, userIds: ReadonlyArray<string>) => Effect.Effect<number, StateError>
    readonly has: (audience: string, userId: string) => Effect.Effect<boolean, StateError>
    /** The members of one shard, ascending. */
    readonly shard: (audience: string, index: number) => Effect.Effect<ReadonlyArray<string>, StateError>
    /** In an order of its own. `after` is the `next` of the page before. */
    readonly list: (audience: string, limit: number, after?: string) => Effect.Effect<MemberPage, StateError>
    /** Removes the user from every audience; returns from how many. Reads all members: for erasures. */
    readonly forget: (userId: string) => Effect.Effect<number, StateError>
  }
>()("@armoricore/state/Audiences") {
  static readonly layer: Layer.Layer<Audiences, never, KeyValue> = Layer.effect(
    Audiences,
    Effect.suspend(() => make),
  )
}

/** The shard of the audience that a user belongs to. */
export const shardOf = (userId: string): number => Number.parseInt(sha256(userId).slice(0, 6), 16) % audienceShards
const suffixOf = (index: number): string => String(index).padStart(4, "0")
const keyOf = (audience: string, index: number): string => `${audience}.${suffixOf(index)}`

const make = Effect.gen(function* () {
  const shards = yield* Collection.make(audienceMembers)

  const change = (key: string, update: (members: Set<string>) => number) =>
    shards.modifyOrRetry(key, (found) =>
      Effect.sync(() => {
        const members = new Set(Option.getOrUndefined(found)?.value.user_ids ?? [])
        const changed = update(members)
        return [changed, changed === 0 ? Option.none() : Option.some({ user_ids: [...members].toSorted() })] as const
      }),
    )

  /** One change of each shard that has some of the users. */
  const changeAll = (
    audience: string,
    userIds: ReadonlyArray<string>,
    update: (members: Set<string>, id: string) => boolean,
  ) =>
    Effect.map(
      Effect.forEach(
        Map.groupBy(userIds, shardOf),
        ([index, ids]) => change(keyOf(audience, index), (members) => ids.filter((id) => update(members, id)).length),
        { concurrency: 8 },
      ),
      (counts) => counts.reduce((sum, count) => sum + count, 0),
    )

  const shard = (audience: string, index: number) =>
    Effect.map(shards.get(keyOf(audience, index)), (found) => Option.getOrUndefined(found)?.value.user_ids ?? [])

  return Audiences.of({
    add: Effect.fn("Audiences.add")(function* (audience, userIds) {
      return yield* changeAll(audience, userIds, (members, id) => !members.has(id) && members.add(id).has(id))
    }),
    remove: Effect.fn("Audiences.remove")(function* (audience, userIds) {
      return yield* changeAll(audience, userIds, (members, id) => members.delete(id))
    }),
    has: Effect.fn("Audiences.has")(function* (audience, userId) {
      return (yield* shard(audience, shardOf(userId))).includes(userId)
    }),
    shard,
    list: Effect.fn("Audiences.list")(function* (audience, limit, after = "") {
      const [, start = "0", last = ""] = /^([0-9]{1,4})\.(.*)$/su.exec(after) ?? []
      const user_ids: Array<string> = []
      for (let index = Number(start), from = last; index < audienceShards; index++, from = "") {
        const members = (yield* shard(audience, index)).filter((id) => id > from)
        for (const id of members) {
          if (user_ids.length === limit)
            return { user_ids, next: `${shardOf(user_ids.at(-1) ?? "")}.${user_ids.at(-1)}` }
          user_ids.push(id)
        }
      }
      return { user_ids }
    }),
    forget: Effect.fn("Audiences.forget")(function* (userId) {
      let removed = 0
      const suffix = `.${suffixOf(shardOf(userId))}`
      yield* Collection.forEach(shards, ({ key, value }) =>
        key.endsWith(suffix) && value.user_ids.includes(userId)
          ? Effect.map(
              change(key, (members) => (members.delete(userId) ? 1 : 0)),
              (count) => void (removed += count),
            )
          : Effect.void,
      )
      return removed
    }),
  })
})

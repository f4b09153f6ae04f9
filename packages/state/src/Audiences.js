/**
 * The members of audiences. The ids of an audience are spread over 1,024 documents by their hash: adding a member changes one
 * small document, and a send reads one after the other, so that a million members need little memory.
 */
import { audienceShards, AudienceSend, AudienceShard } from "@armoricore/domain/Audience";
import { sha256 } from "@armoricore/domain/DeterministicId";
import { Context, Duration, Effect, Layer, Option } from "effect";
import * as Collection from "./Collection.ts";
export const audienceMembers = {
    bucket: { name: "audience", maxAge: "never" },
    schema: AudienceShard,
    skipEncode: true,
};
export const audienceSends = {
    bucket: { name: "audience_send", maxAge: Duration.days(30) },
    schema: AudienceSend,
    skipEncode: true,
};
export class Audiences extends Context.Service()("@armoricore/state/Audiences") {
    static layer = Layer.effect(Audiences, Effect.suspend(() => make));
}
const shardOf = (userId) => Number.parseInt(sha256(userId).slice(0, 6), 16) % audienceShards;
const suffixOf = (index) => String(index).padStart(4, "0");
const keyOf = (audience, index) => `${audience}.${suffixOf(index)}`;
const make = Effect.gen(function* () {
    const shards = yield* Collection.make(audienceMembers);
    const change = (key, update) => shards.modifyOrRetry(key, (found) => Effect.sync(() => {
        const members = new Set(Option.getOrUndefined(found)?.value.user_ids ?? []);
        const changed = update(members);
        return [changed, changed === 0 ? Option.none() : Option.some({ user_ids: [...members].toSorted() })];
    }));
    /** One change of each shard that has some of the users. */
    const changeAll = (audience, userIds, update) => Effect.map(Effect.forEach(Map.groupBy(userIds, shardOf), ([index, ids]) => change(keyOf(audience, index), (members) => ids.filter((id) => update(members, id)).length), { concurrency: 8 }), (counts) => counts.reduce((sum, count) => sum + count, 0));
    const shard = (audience, index) => Effect.map(shards.get(keyOf(audience, index)), (found) => Option.getOrUndefined(found)?.value.user_ids ?? []);
    return Audiences.of({
        add: Effect.fn("Audiences.add")(function* (audience, userIds) {
            return yield* changeAll(audience, userIds, (members, id) => !members.has(id) && members.add(id).has(id));
        }),
        remove: Effect.fn("Audiences.remove")(function* (audience, userIds) {
            return yield* changeAll(audience, userIds, (members, id) => members.delete(id));
        }),
        has: Effect.fn("Audiences.has")(function* (audience, userId) {
            return (yield* shard(audience, shardOf(userId))).includes(userId);
        }),
        shard,
        list: Effect.fn("Audiences.list")(function* (audience, limit, after = "") {
            const [, start = "0", last = ""] = /^([0-9]{1,4})\.(.*)$/su.exec(after) ?? [];
            const user_ids = [];
            for (let index = Number(start), from = last; index < audienceShards; index++, from = "") {
                const members = (yield* shard(audience, index)).filter((id) => id > from);
                for (const id of members) {
                    if (user_ids.length === limit)
                        return { user_ids, next: `${shardOf(user_ids.at(-1) ?? "")}.${user_ids.at(-1)}` };
                    user_ids.push(id);
                }
            }
            return { user_ids };
        }),
        forget: Effect.fn("Audiences.forget")(function* (userId) {
            let removed = 0;
            const suffix = `.${suffixOf(shardOf(userId))}`;
            yield* Collection.forEach(shards, ({ key, value }) => key.endsWith(suffix) && value.user_ids.includes(userId)
                ? Effect.map(change(key, (members) => (members.delete(userId) ? 1 : 0)), (count) => void (removed += count))
                : Effect.void);
            return removed;
        }),
    });
});

/**
 * The history port: what was said in a room, in order, for those who come back. A room is any topic that has a history:
 * a chat room, a stream's comments, the events of one user.
 *
 * - A `seq` grows within its room, with or without gaps, and is never used twice.
 * - An `id` stands once in a room: adding it again gives what was added first. Every adapter recognises it for at least
 *   {@link dedupWindow}, most for as long as the item is kept.
 * - `complete: false` says that something behind `since` was kept once and is gone (retention, a lost store), or does
 *   not fit the limit. What moderation removed is not missed.
 *
 * Every adapter passes `test/behaviour.ts`.
 */
import { type ConfigurationError, PermanentError, type PortError, type TransientError } from "@armoricore/domain/Errors"
import { Context, Duration, Effect, type Scope } from "effect"

export interface HistoryItem {
  readonly seq: number
  readonly id: string
  readonly body: Uint8Array
}

export type AppendResult =
  /** `fresh: false`: this id was there before, and `item` is what it was added with. */
  | { readonly _tag: "Kept"; readonly item: HistoryItem; readonly fresh: boolean }
  /** This id was removed, and stays so. */
  | { readonly _tag: "Removed" }

/** An item as those hear of it who follow its room. */
export interface AppendNotification {
  readonly item: HistoryItem
  /** The number of the room's item before it, 0 where there was none: whoever did not hear of that one reads it. */
  readonly previousSeq: number
}

export interface ReadOptions {
  /** Only items behind this `seq`; default 0, all of them. */
  readonly since?: number
  /** The latest so many. */
  readonly limit: number
}

export interface HistoryPage {
  /** Ascending. */
  readonly items: ReadonlyArray<HistoryItem>
  /** Nothing behind `since` is missing. */
  readonly complete: boolean
}

export class History extends Context.Service<
  History,
  {
    /** Succeeds once the item is as durable as the adapter is. Items that are added one after the other keep that order. */
    readonly append: (room: string, id: string, body: Uint8Array) => Effect.Effect<AppendResult, PortError>
    readonly read: (room: string, page: ReadOptions) => Effect.Effect<HistoryPage, PortError>
    /**
     * Hears of everything that any process adds to the room, from when it returns until the scope closes, at most once
     * and mostly in the order of numbers. `onGap` says that something may have been missed: then read. Both are called
     * synchronously and must not block or throw.
     */
    readonly subscribe: (
      room: string,
      onAppend: (added: AppendNotification) => void,
      onGap: () => void,
    ) => Effect.Effect<void, PortError, Scope.Scope>
    /** The item's body is destroyed. False where there is none of this id. */
    readonly remove: (room: string, id: string) => Effect.Effect<boolean, PortError>
    /** Creates or checks what the adapter stores in; returns one line per resource for `armoricore setup`. */
    readonly setup: Effect.Effect<ReadonlyArray<string>, TransientError | ConfigurationError>
  }
>()("@armoricore/history/History") {}

/** How long an id is recognised at least. */
export const dedupWindow = Duration.minutes(5)

export const maxBodyBytes = 262_144

/** A room is a topic: `[A-Za-z0-9_:-]`, at most 200 characters. An id has no spaces, at most 200 characters. */
export const check = (room: string, id = "-", body?: Uint8Array): Effect.Effect<void, PermanentError> => {
  const message = /^[A-Za-z0-9_:-]{1,200}$/.test(room)
    ? /^[\x21-\x7e]{1,200}$/.test(id)
      ? body !== undefined && body.byteLength > maxBodyBytes
        ? `an item of a history has at most ${maxBodyBytes} bytes, this one has ${body.byteLength}`
        : undefined
      : "the id of a history's item has 1 to 200 ASCII characters and no spaces"
    : "a history's room has 1 to 200 characters of A-Z a-z 0-9 _ : -"
  return message === undefined ? Effect.void : Effect.fail(new PermanentError({ code: "invalid_item", message }))
}

/**
 * The whole of Armoricore's ports in memory as one Layer: a pipeline runs in a unit test with no server, on virtual
 * time where the test wants it.
 *
 * @example
 * ```ts
 * const pipeline = MediaService.layer.pipe(Layer.provideMerge(Testing.layer))
 * ```
 */
import * as Tokens from "@armoricore/auth/Tokens";
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { DeadLetters, Ledger } from "@armoricore/worker";
import { Layer, Redacted } from "effect";
/** The secret that {@link layer}'s tokens are signed with; it is for tests alone. */
export const jwtSecret = Redacted.make("a secret for tests, at least 32 bytes long");
export const layer = DeadLetters.layer.pipe(Layer.provideMerge(Ledger.layer), Layer.provideMerge(Layer.mergeAll(MemoryBus.layer, MemoryState.layer, MemoryHistory.layer(), MemoryStorage.layer, Tokens.layer({ keys: { _tag: "Secret", secret: jwtSecret } }))));

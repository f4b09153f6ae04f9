import { Context } from "effect";
/** Further stores of `realtime`, from packages that it does not import. */
export const FurtherStores = Context.Reference("@armoricore/worker/FurtherStores", {
    defaultValue: () => [],
});

/** `armoricore suppressions`: lists, adds, removes and exports suppressed e-mail addresses. */
import { OperatorClient } from "@armoricore/operator/OperatorClient";
import { PermanentError, TransientError } from "@armoricore/domain/Errors";
import { exportCsv, reasons, SuppressionList } from "@armoricore/state/SuppressionList";
import { Console, Effect, Layer, Option, Stream } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { CommandFailed } from "../app/CommandErrors.ts";
import { jsonFlag, limitFlag, printItems } from "./output.ts";
import { isConnectionError, isRemote, noOperatorApi, operatorApiFlags, operatorClient, withAdapters, } from "./support.ts";
import { withSettings } from "./with-settings.ts";
/** The list of another process, over its operator API. */
const remoteList = (target) => Layer.effect(SuppressionList, Effect.gen(function* () {
    const api = yield* OperatorClient;
    const failure = (error) => error._tag === "ActionRejected"
        ? new PermanentError({ code: "refused", message: error.message })
        : new TransientError({
            dependency: "operator",
            code: "failed",
            message: isConnectionError(error) ? noOperatorApi("at this URL") : error.message,
        });
    return SuppressionList.of({
        list: (query) => Effect.mapError(api.ListSuppressions(defined(query)), failure),
        get: (hash, category) => api.ListSuppressions({ hash, limit: 1_000 }).pipe(Effect.mapBoth({
            onSuccess: ({ entries }) => Option.fromUndefinedOr(entries.find((one) => one.category === category)),
            onFailure: (error) => new TransientError({ dependency: "operator", code: "failed", message: error.message }),
        })),
        add: (subject, { evidence: note, reason }) => Effect.mapError(api.AddSuppression(defined({ ...subject, reason, note })), failure),
        remove: (subject) => api.RemoveSuppression(defined(subject)).pipe(Effect.as(true), Effect.catchIf((error) => "code" in error && error.code === "not_found", () => Effect.succeed(false)), Effect.mapError(failure)),
    });
})).pipe(Layer.provide(operatorClient(target)));
/** The fields that are set. The client accepts no `undefined`. */
const defined = (fields) => 
// A removed field is optional in every type that this function is called with.
Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
/** With `--url` over the operator API, otherwise directly in the state, even when no program runs. */
const withSuppressions = (effect, target) => isRemote(target)
    ? Effect.provide(effect, remoteList(target))
    : effect.pipe(Effect.provide(SuppressionList.layer), withAdapters);
const category = Flag.String("category").pipe(Flag.withDescription("only e-mail of this category (default: all e-mail)"), Flag.optional);
const subject = Argument.String("address").pipe(Argument.withDescription("an e-mail address, or the hash that list prints"));
/** The argument is an address or a hash. */
const subjectOf = (text, category) => ({
    ...(text.includes("@") ? { address: text } : { hash: text }),
    ...(Option.isSome(category) ? { category: category.value } : {}),
});
const columnsOf = ({ category, evidence, hash, reason, since, source }) => [
    hash,
    new Date(since).toISOString(),
    reason,
    category ?? "",
    source ?? "",
    evidence ?? "",
];
const list = Command.make("list", {
    ...operatorApiFlags,
    address: Flag.String("address").pipe(Flag.withDescription("only this e-mail address"), Flag.optional),
    reason: Flag.Literals("reason", reasons).pipe(Flag.withDescription("only this reason"), Flag.optional),
    limit: limitFlag,
    json: jsonFlag,
}, Effect.fn("suppressions.list")(function* ({ address, json, limit, reason }) {
    const suppressions = yield* SuppressionList;
    const { entries, next } = yield* suppressions.list({
        address: Option.getOrUndefined(address),
        reason: Option.getOrUndefined(reason),
        limit,
    });
    if (entries.length === 0 && !json)
        return yield* Console.error("no suppressions");
    yield* printItems(entries, json, columnsOf);
    if (next !== undefined)
        yield* Console.error(`the list has more than ${entries.length} entries; raise --limit`);
}, withSuppressions, withSettings)).pipe(Command.withDescription("Prints one line per entry: hash, since, reason, category, source, evidence"));
const add = Command.make("add", {
    ...operatorApiFlags,
    subject,
    category,
    note: Flag.String("note").pipe(Flag.withDescription("stored as evidence"), Flag.optional),
}, Effect.fn("suppressions.add")(function* ({ category, note, subject }) {
    const suppressions = yield* SuppressionList;
    const entry = yield* suppressions.add(subjectOf(subject, category), {
        reason: "manual",
        source: "armoricore-cli",
        evidence: Option.getOrUndefined(note),
    });
    yield* printItems([entry], false, columnsOf);
}, withSuppressions, withSettings)).pipe(Command.withDescription("Suppresses an e-mail address"));
const remove = Command.make("remove", { ...operatorApiFlags, subject, category }, Effect.fn("suppressions.remove")(function* ({ category, subject }) {
    const suppressions = yield* SuppressionList;
    if (yield* suppressions.remove(subjectOf(subject, category)))
        return yield* Console.log(`removed ${subject}`);
    return yield* new CommandFailed({
        message: `${subject} is not suppressed${Option.isSome(category) ? ` in the category ${category.value}` : "; an entry of a category needs --category"}`,
    });
}, withSuppressions, withSettings)).pipe(Command.withDescription("Removes an entry, so that the address receives e-mail again"));
const exportAll = Command.make("export", operatorApiFlags, Effect.fn("suppressions.export")(function* (_target) {
    const suppressions = yield* SuppressionList;
    yield* Stream.runForEach(exportCsv(suppressions), (line) => Console.log(line.replace(/\r\n$/, "")));
}, withSuppressions, withSettings)).pipe(Command.withDescription("Prints the whole list as CSV"));
export const suppressions = Command.make("suppressions").pipe(Command.withSubcommands([list, add, remove, exportAll]));

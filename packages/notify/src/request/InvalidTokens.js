import { emit } from "@armoricore/worker/ResultMessage";
import { hashOf, platformOf } from "./Target.ts";
/** Undefined for a target that is no device: an e-mail address is suppressed instead. */
export const eventOf = ({ user_id }, { delivery_id, target }, { invalid_since, reason, reopened_by }) => platformOf(target.channel) === ""
    ? undefined
    : emit("device.token_invalid", {
        user_id,
        platform: platformOf(target.channel),
        token_hash: hashOf(target),
        reason: reason ?? "dead",
        ...(invalid_since === undefined ? {} : { invalid_since: new Date(invalid_since).toISOString() }),
    }, 
    // After `device.token_restored` it is a new event.
    reopened_by === undefined ? delivery_id : `${delivery_id}.${reopened_by}`);
/** `device.token_restored`: takes the event back; `run` distinguishes several such events of one delivery. */
export const restoredEventOf = ({ user_id }, { delivery_id, target }, run) => emit("device.token_restored", { user_id, platform: platformOf(target.channel), token_hash: hashOf(target) }, `${delivery_id}.${run}`);
/** The events of every delivery of the notification that found an invalid token, as they were published before. */
export const eventsOf = (state) => state.deliveries.flatMap((planned) => planned.target_invalid === true
    ? (eventOf(state, planned, {
        ...(planned.summary?.reason === undefined ? {} : { reason: planned.summary.reason }),
        ...(planned.invalid_since === undefined ? {} : { invalid_since: planned.invalid_since }),
    }) ?? [])
    : []);

/** Several apps of one installation: a device registers with the name of its app, and the settings give what belongs to it. */
import { PermanentError } from "@armoricore/domain/Errors";
/** `driver:com.example.driver` as name and value. */
export const parse = (entry) => {
    const colon = entry.indexOf(":");
    return [entry.slice(0, colon), entry.slice(colon + 1)];
};
export const appOf = ({ target }) => ("app" in target ? target.app : undefined);
export const unknown = (message, setting) => new PermanentError({
    code: "unknown_app",
    message: `the app ${appOf(message)} of the device is not in ${setting}; add it there, or correct the app of the device`,
});

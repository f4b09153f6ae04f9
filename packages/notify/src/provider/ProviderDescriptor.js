import { Effect, Layer } from "effect";
export const define = ({ channel, layer, name, settings, title, webhook, }) => {
    const namesWhere = (matches) => Object.keys(settings).filter(matches);
    const requiredSettings = namesWhere((key) => settings[key]?.isRequired === true);
    const isEnabled = (values) => requiredSettings.every((key) => values[key] !== undefined);
    return {
        name,
        title,
        channel,
        settings,
        requiredSettings,
        optionalSettings: namesWhere((key) => settings[key]?.isRequired !== true),
        fileSettings: namesWhere((key) => settings[key]?.kind === "file"),
        isEnabled,
        layer: (values, common) => layer(valuesOf(values), common),
        webhookRoutes: (values) => {
            const routes = isEnabled(values) ? webhook?.(valuesOf(values)) : undefined;
            return routes === undefined ? Layer.empty : Layer.unwrap(Effect.promise(() => routes));
        },
    };
};
// The settings table parses each value by the kind in its descriptor, and `isEnabled` checks the required ones.
const valuesOf = (values) => values;

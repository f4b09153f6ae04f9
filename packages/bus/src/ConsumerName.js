/** The part of the name that a service's handler adds. */
export const suffix = (from) => from.channel === "event" ? from.type.replaceAll(/[._]/g, "-") : `work-${from.kind}`;
/** The name of the consumer through which `service` reads `from`. */
export const of = (service, from) => `${service}-${suffix(from)}`;

/** A message that has waited this long is stuck, or its consumer has too few workers. */
const maxQueueAgeMillis = 5 * 60_000;
/** How long a crashed process is reported if other processes do its work. */
const crashReportMillis = 15 * 60_000;
/** A process with a higher event loop utilization responds late. */
const maxEventLoopUtilization = 0.9;
export const healthWarnings = ({ dead_letters, nodes, queues, sample, unresponsive }, openCircuits, pauses, busStatus, running, departed) => {
    const faults = [];
    const warnings = [];
    const fault = (view, message) => void faults.push({ level: "fault", view, message });
    const warn = (view, message) => void warnings.push({ level: "warning", view, message });
    if (busStatus === "disconnected")
        fault("overview", "The bus is disconnected: no event is published or handled until it reconnects.");
    for (const node of unresponsive)
        fault("overview", `The process ${node} does not respond.`);
    // While the bus is down no process responds, and the bus is the cause.
    const departedNodes = busStatus === "disconnected" ? [] : departed;
    const runningServices = new Set(running.flatMap(({ services }) => services));
    for (const service of new Set(departedNodes.flatMap(({ descriptor }) => descriptor.services).filter((name) => !runningServices.has(name)))) {
        const last = departedNodes.findLast(({ descriptor }) => descriptor.services.includes(service));
        if (last === undefined)
            continue;
        const since = formatDuration(sample.at - last.lastSeenAt);
        if (last.graceful)
            warn("overview", `No process runs ${service}: ${last.descriptor.node} ended ${since} ago.`);
        else
            fault("overview", `No process runs ${service}: ${last.descriptor.node} sent its last heartbeat ${since} ago.`);
    }
    for (const { lastSeenAt, descriptor, graceful } of departedNodes) {
        const elapsedMillis = sample.at - lastSeenAt;
        if (graceful ||
            elapsedMillis > crashReportMillis ||
            !descriptor.services.every((service) => runningServices.has(service)))
            continue;
        warn("overview", `The process ${descriptor.node} sent its last heartbeat ${formatDuration(elapsedMillis)} ago; other processes do its work.`);
    }
    for (const { name, status } of openCircuits) {
        if (status === "waiting")
            fault("providers", `${name} is misconfigured: its messages wait until the configuration is fixed.`);
        else
            warn("providers", `${name} is failing; its circuit is ${status === "probing" ? "half open" : "open"}.`);
    }
    for (const { by, name } of pauses)
        warn("providers", `${name} was paused by ${by}: its messages wait until it is resumed.`);
    for (const { name, oldest_age_millis, pending } of queues) {
        if (oldest_age_millis > maxQueueAgeMillis && pending > 0) {
            warn("overview", `${pending} messages are pending for ${name}, the oldest for ${formatDuration(oldest_age_millis)}.`);
        }
    }
    for (const { event_loop_utilization, node } of nodes) {
        if (event_loop_utilization > maxEventLoopUtilization)
            warn("overview", `The process ${node} is ${Math.round(event_loop_utilization * 100)} % busy.`);
    }
    if (dead_letters.count > 0) {
        const count = dead_letters.more ? `More than ${dead_letters.count}` : `${dead_letters.count}`;
        warn("dead-letters", `${count} dead ${dead_letters.count === 1 ? "letter waits" : "letters wait"} for a decision.`);
    }
    return [...faults, ...warnings];
};
const formatDuration = (millis) => {
    if (millis < 60_000)
        return `${Math.round(millis / 1_000)} s`;
    const minutes = Math.round(millis / 60_000);
    if (minutes < 120)
        return `${minutes} min`;
    const hours = Math.round(minutes / 60);
    return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
};

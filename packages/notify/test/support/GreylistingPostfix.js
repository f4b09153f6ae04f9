/**
 * A real postfix that asks a real postgrey about each recipient: on free ports of 127.0.0.1, with folders of its own. Both end
 * with the scope. Postfix needs root. Call {@link requirePrograms} first.
 */
import { freePort } from "@armoricore/testing/LocalPort";
import * as Programs from "@armoricore/testing/Programs";
import { Effect, Schedule } from "effect";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
export const greylistSeconds = 60;
/** Why the server cannot run here; undefined: it can. */
export const missing = () => {
    const absent = ["postfix", "postgrey"].filter((program) => Programs.find(program) === undefined);
    if (absent.length > 0)
        return `${absent.join(" and ")} not installed (Debian packages postfix and postgrey)`;
    return process.getuid?.() === 0 ? undefined : "postfix needs root";
};
/** Delivers mail for `example.org` into a mailbox. */
export const make = Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "greylist-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
    // The delivery agent of postfix runs under another user.
    chmodSync(folder, 0o755);
    const [mailPort, policyPort] = [yield* freePort, yield* freePort];
    const folderOf = (name) => {
        const path = join(folder, name);
        mkdirSync(path);
        return path;
    };
    const [configuration, queue, data, mailbox, greylist] = ["config", "queue", "data", "mail", "greylist"].map(folderOf);
    if (configuration === undefined || queue === undefined || data === undefined)
        return yield* Effect.die("no folders");
    if (mailbox === undefined || greylist === undefined)
        return yield* Effect.die("no folders");
    const postfixUser = userIds("postfix");
    yield* run("chown", [`${postfixUser.uid}`, data]);
    yield* run("chown", [`${userIds("postgrey").uid}`, greylist]);
    yield* run("chown", [`${unprivilegedId}`, mailbox]);
    writeFileSync(join(configuration, "main.cf"), mainConfiguration({ queue, data, mailbox, policyPort }));
    writeFileSync(join(configuration, "master.cf"), masterConfiguration(mailPort));
    let log = "";
    const logText = () => `${log}${readFileSync(join(data, "log"), "utf8")}`;
    const start = (program, args) => Effect.acquireRelease(Effect.sync(() => {
        const child = spawn(Programs.find(program) ?? program, args, { stdio: ["ignore", "pipe", "pipe"] });
        const read = (chunk) => void (log += chunk.toString());
        child.stdout.on("data", read);
        child.stderr.on("data", read);
        return child;
    }), stop);
    yield* start("postgrey", [
        `--inet=127.0.0.1:${policyPort}`,
        `--delay=${greylistSeconds}`,
        `--dbdir=${greylist}`,
        `--pidfile=${join(greylist, "pid")}`,
        "--whitelist-clients=/dev/null",
        "--whitelist-recipients=/dev/null",
    ]);
    yield* Effect.acquireRelease(run("postfix", ["-c", configuration, "start"]), () => run("postfix", ["-c", configuration, "stop"]));
    yield* Effect.forEach([policyPort, mailPort], waitForPort).pipe(Effect.catch((error) => Effect.die(new Error(`${error.message}:\n${logText()}`))));
    return {
        url: `smtp://127.0.0.1:${mailPort}`,
        mails: Effect.sync(() => readMails(join(mailbox, "anna", "new"))),
    };
});
const unprivilegedId = 65_534;
/** Loopback alone; `example.org` is delivered into `mailbox`. */
const mainConfiguration = (paths) => `compatibility_level = 3.6
queue_directory = ${paths.queue}
data_directory = ${paths.data}
maillog_file = ${paths.data}/log
maillog_file_prefixes = ${paths.data}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.org
mynetworks = 127.0.0.2/32
mydestination =
alias_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = ${paths.mailbox}
virtual_mailbox_maps = static:anna/
virtual_uid_maps = static:${unprivilegedId}
virtual_gid_maps = static:${unprivilegedId}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:127.0.0.1:${paths.policyPort}
`;
const masterConfiguration = (port) => `127.0.0.1:${port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
showq unix n - n - - showq
flush unix n - n 1000? 0 flush
`;
const userIds = (name) => {
    const line = readFileSync("/etc/passwd", "utf8")
        .split("\n")
        .find((entry) => entry.startsWith(`${name}:`));
    return { uid: Number(line?.split(":")[2]) };
};
const run = (program, args) => Effect.callback((resume) => {
    const child = spawn(Programs.find(program) ?? program, args, { stdio: "ignore" });
    child.once("exit", (code) => resume(code === 0 ? Effect.void : Effect.die(new Error(`${program} ended with ${code}`))));
});
const stop = (child) => Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null)
        return resume(Effect.void);
    child.once("exit", () => resume(Effect.void));
    child.kill("SIGTERM");
});
const waitForPort = (port) => Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
        socket.destroy();
        resume(Effect.void);
    });
    socket.once("error", (error) => resume(Effect.fail(error)));
}).pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 }));
const readMails = (folder) => {
    try {
        return readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    }
    catch {
        // The delivery agent creates the folder.
        return [];
    }
};

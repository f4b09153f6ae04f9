/** The text of `deploy/nats.conf`: a user for each service, with exactly the permissions of `NatsPermissions.ts`. */
import { publishPermissions, subscribePermissions } from "./NatsPermissions.ts";
import { serviceNames } from "../app/Services.ts";
const serviceDescriptions = {
    media: "media, with the consumer guard that validates events",
    notify: "notify",
    ai: "ai",
    realtime: "realtime, which also serves the HTTP API and publishes the events of external sources",
};
const quoted = (subjects) => subjects.map((subject) => `"${subject}"`);
const userBlock = (service) => `    # ${serviceDescriptions[service]}
    {
      user: ${service}, password: $ARMORICORE_${service.toUpperCase()}_PASSWORD
      permissions: {
        publish: [
${publishPermissions(service)
    .flatMap(([why, subjects]) => [`# ${why}`, ...quoted(subjects)])
    .map((line) => `          ${line}`)
    .join("\n")}
        ]
        subscribe: [${quoted(subscribePermissions(service)).join(", ")}]
      }
    }
`;
export const natsConf = () => `# nats-server with one user per service, each with the permissions that it needs and no more.
#
#   armoricore setup            as user \`setup\`: creates and updates streams, consumers and buckets
#   armoricore start            as a service's user, with NATS_SETUP=verify and NATS_INBOX_PREFIX=_INBOX_<user>
#   armoricore dead-letters     as user \`setup\`
#   a PHP backend               as user \`publisher\`, with the inbox prefix _INBOX_publisher
#
# Start it with \`nats-server -c nats.conf -js -sd /var/lib/nats\`. nats-server reads passwords from its environment;
# \`nats server passwd\` hashes them. Instead of a password a user may have \`nkey: U…\` (NATS_NKEY_SEED of the
# service). docs/bus.md explains each permission. The users of the services are generated from the code:
# \`node packages/armoricore/scripts/write-nats-conf.ts\`.

# tls {
#   cert_file: "/etc/nats/tls.crt"
#   key_file: "/etc/nats/tls.key"
# }

authorization {
  timeout: 3
  users: [
    { user: setup, password: $ARMORICORE_SETUP_PASSWORD }

    # A PHP backend: publishes its events and reads the acknowledgements.
    {
      user: publisher, password: $ARMORICORE_PUBLISHER_PASSWORD
      permissions: {
        publish: ["armoricore.media.uploaded", "armoricore.notification.requested", "armoricore.transcription.requested"]
        subscribe: ["_INBOX_publisher.>"]
      }
    }

${serviceNames.map(userBlock).join("\n")}  ]
}
`;

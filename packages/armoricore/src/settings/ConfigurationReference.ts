/** `docs/configuration.md`: every variable in a table a group, made from the same entries that read them. */
import { settingGroups } from "./Table.ts"

const introduction = `# Configuration

Every variable that armoricore reads. All are optional: without any, the program runs on its embedded defaults. They are
read once, at the start; every fault is named at once, and \`armoricore check-config\` prints what holds, without secrets.
This page is written by \`node packages/armoricore/scripts/write-configuration-docs.ts\`; a test holds it to the code.

\`NAME_FILE=/path\` reads the value of \`NAME\` from a file, for mounted secrets. An unset provider is off and says so at the
start; a half-set one is a fault.
`

export const configurationReference = (): string =>
  [
    introduction,
    ...Object.entries(settingGroups).map(([title, settings]) =>
      [
        `## ${title}\n`,
        "| variable | meaning | default | example |",
        "|---|---|---|---|",
        ...Object.entries(settings).map(
          ([name, { defaultText, description, example, secret }]) =>
            `| \`${name}\`${secret ? " (secret)" : ""} | ${escapeCell(description)} | ${escapeCell(defaultText)} | \`${escapeCell(example)}\` |`,
        ),
        "",
      ].join("\n"),
    ),
  ].join("\n")

const escapeCell = (text: string): string => text.replaceAll("|", "\\|")

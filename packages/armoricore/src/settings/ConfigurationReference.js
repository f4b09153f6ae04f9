import { settingGroups } from "./Table.ts";
const groups = settingGroups;
/** `docs/configuration.md`: a table for each group. */
export const configurationReference = () => [
    documentIntroduction,
    ...Object.entries(groups).map(([title, settings]) => [
        `## ${title}\n`,
        "| variable | meaning | default | example |",
        "|---|---|---|---|",
        ...Object.entries(settings).map(([name, { defaultText, description, example, secret }]) => `| \`${name}\`${secret ? " (secret)" : ""} | ${escapeCell(description)} | ${escapeCell(defaultText)} | \`${escapeCell(example)}\` |`),
        "",
    ].join("\n")),
].join("\n");
const escapeCell = (text) => text.replaceAll("|", "\\|");
/** `.env.example`: every variable with its description and default, commented out. */
export const envExample = () => [
    envIntroduction,
    ...Object.entries(groups).map(([title, settings]) => {
        const lines = Object.entries(settings).map(([name, { defaultText, description, example }]) => `# ${description} (default: ${defaultText})\n#${name}=${example}\n`);
        return `## ${title}\n\n${lines.join("\n")}`;
    }),
].join("\n");
const documentIntroduction = `# Configuration

Every environment variable that armoricore reads. All are optional: without any, the program runs on its embedded
defaults. It reads them once at startup and reports all errors together; \`armoricore check-config\` prints the effective
configuration without secrets. This page is generated: run \`npm run docs:configuration\` after a change.

\`NAME_FILE=/path\` reads the value of \`NAME\` from a file, for mounted secrets. A provider without settings is off, and the
log says so at startup. A provider with only some of its required settings is an error.
`;
const envIntroduction = `# Every environment variable that armoricore reads. All are optional: without any, it runs on its embedded defaults.
# NAME_FILE=/path reads the value of NAME from a file, for mounted secrets.
`;

/** `.env.example`: every variable with its meaning and default, all commented out. */
import { settingGroups } from "./Table.ts"

const introduction = `# Every variable that armoricore reads. All are optional: without any, it runs on its embedded defaults.
# NAME_FILE=/path reads the value of NAME from a file, for mounted secrets.
`

export const envExample = (): string =>
  [
    introduction,
    ...Object.entries(settingGroups).map(([title, settings]) => {
      const lines = Object.entries(settings).map(
        ([name, { defaultText, description, example }]) =>
          `# ${description} (default: ${defaultText})\n#${name}=${example}\n`,
      )
      return `## ${title}\n\n${lines.join("\n")}`
    }),
  ].join("\n")

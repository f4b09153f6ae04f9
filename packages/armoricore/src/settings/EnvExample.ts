/** `.env.example`: every variable with its meaning and default, all commented out. */
import { groups } from "./Table.ts"

const opening = `# Every variable that armoricore reads. All are optional: without any, it runs on its embedded defaults.
# NAME_FILE=/path reads the value of NAME from a file, for mounted secrets.
`

export const envExample = (): string =>
  [
    opening,
    ...Object.entries(groups).map(([title, settings]) => {
      const lines = Object.entries(settings).map(
        ([name, { example, meaning, unset }]) => `# ${meaning} (default: ${unset})\n#${name}=${example}\n`,
      )
      return `## ${title}\n\n${lines.join("\n")}`
    }),
  ].join("\n")

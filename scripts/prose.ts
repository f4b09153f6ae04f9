/**
 * Refuses words and constructions that make the project's comments, messages and documents hard to read for a newcomer:
 * indefinite pronouns and vague verbs where the field has a noun ("lease", "subscriber", "dead letter"), and relative
 * clauses used as nouns ("What was stored is …"). Runs as part of `npm run lint`.
 *
 *     node scripts/prose.ts             every tracked file
 *     node scripts/prose.ts packages/bus docs/bus.md
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Finding {
  readonly file: string
  readonly line: number
  readonly found: string
  readonly advice: string
}

const rules: ReadonlyArray<{ readonly pattern: RegExp; readonly advice: string }> = [
  {
    pattern: /\bwhom?ever\b|\bwhatever\b/gi,
    advice: "name the actor: the caller, the next worker, the subscriber",
  },
  {
    pattern: /\b(?:no|some|any|every)body(?:'s|’s)?\b/gi,
    advice: "name the actor: no worker, another process, any user",
  },
  { pattern: /\banew\b/gi, advice: "say 'again' or 'from the start'" },
  { pattern: /\bmend(?:s|ed|ing)?\b/gi, advice: "say 'fix', 'repair' or 'backfill'" },
  { pattern: /\bpatience\b/gi, advice: "say 'timeout'" },
  { pattern: /\btold\b/gi, advice: "say 'published', 'notified' or 'reported'" },
  { pattern: /\bheard\b|\bunheard\b/gi, advice: "say 'received'" },
  { pattern: /\bkept\b/gi, advice: "say 'stored', 'retained' or 'unchanged'" },
  { pattern: /\bheed(?:s|ed|ing)?\b/gi, advice: "say 'apply' or 'check'" },
  { pattern: /\blies\b/gi, advice: "say 'is', 'is stored' or 'is false'" },
  { pattern: /\bmourn(?:s|ed|ing)?\b|\bfarewells?\b|\bmurderers?\b/gi, advice: "use the protocol's word" },
  { pattern: /\bof (?:whom|what)\b/gi, advice: "name the thing" },
  { pattern: /\bthere is none\b|\bthere are none\b/gi, advice: "say what is missing: 'no X exists'" },
  {
    pattern:
      /(?:^|[.:;!] )(?:What|Who|Whose)\b(?! (?:it|this|these|you|to|happened|happens|changed|is new)\b)[^.?!:]*(?:[.!]|$)/g,
    advice: "start the sentence with the thing itself",
  },
]

/** A word that is a quotation, a proper name or a test's input, by file. */
const allowed: ReadonlyArray<readonly [file: RegExp, found: RegExp]> = [
  [/^scripts\/prose\.ts$/, /./],
  [/^test\/prose\.test\.ts$/, /./],
  // A mailbox name of the fake server, and a chat message of the upgrade scenario.
  [/^packages\/testing\/src\/fakes\/FakeSmtp\.ts$/, /^nobody$/],
  [/^test\/support\/UpgradeScenario\.ts$/, /^lies$/],
]

/** The text of `source` that people read: comments and string literals, by line; code is blanked. */
const readable = (source: string): ReadonlyArray<string> => {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*(?=[\s,.;)\]])/g
  let text = ""
  let at = 0
  for (const match of source.matchAll(token)) {
    text += source.slice(at, match.index).replaceAll(/[^\n]/g, " ")
    const isImport = /(?:from|import)\s*\(?\s*$/.test(source.slice(Math.max(0, match.index - 12), match.index))
    const isPattern = match[0].startsWith("/") && !match[0].startsWith("//") && !match[0].startsWith("/*")
    const isKey = /^"[\w./@-]*"$/.test(match[0]) || /^`\$\{[\w.]+\}`$/.test(match[0])
    text += isImport || isPattern || isKey ? match[0].replaceAll(/[^\n]/g, " ") : match[0]
    at = match.index + match[0].length
  }
  return (text + source.slice(at).replaceAll(/[^\n]/g, " "))
    .split("\n")
    .map((line) => line.replace(/^\s*(?:\/\*\*?|\*\/?|\/\/|")?\s?/, ""))
}

/** A Markdown page without code blocks and inline code. */
const readableMarkdown = (source: string): ReadonlyArray<string> => {
  let isCode = false
  return source.split("\n").map((line) => {
    if (line.trimStart().startsWith("```")) {
      isCode = !isCode
      return ""
    }
    return isCode ? "" : line.replaceAll(/`[^`]*`/g, "`code`")
  })
}

export const findingsIn = (file: string, source: string): ReadonlyArray<Finding> => {
  const lines = file.endsWith(".md") ? readableMarkdown(source) : readable(source)
  return lines.flatMap((line, index) =>
    rules.flatMap(({ advice, pattern }) =>
      [...line.matchAll(pattern)]
        .map(([found]) => found.trim())
        .filter((found) => !allowed.some(([files, words]) => files.test(file) && words.test(found)))
        .map((found) => ({ file, line: index + 1, found, advice })),
    ),
  )
}

const isChecked = (file: string): boolean =>
  /\.(?:ts|js|php|md|ya?ml|sh|css|html)$|^\.ci\/run$/.test(file) &&
  !/(?:^|\/)(?:fixtures|node_modules|vendor\/[^/]+\/dist)\//.test(file)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "--", ...process.argv.slice(2)],
    {
      encoding: "utf8",
    },
  )
    .split("\n")
    .filter(isChecked)
  const findings = files.flatMap((file) => findingsIn(file, readFileSync(file, "utf8")))
  for (const { advice, file, found, line } of findings) console.log(`${file}:${line}: "${found}": ${advice}`)
  if (findings.length > 0) {
    console.error(`${findings.length} places are hard to read; docs/glossary.md has the project's words`)
    process.exitCode = 1
  }
}

/** The text format of Prometheus, read as strictly as it is documented: any line that is not as it must be fails. */
export interface MetricFamily {
  readonly help: string
  readonly type: string
  readonly samples: ReadonlyArray<{
    readonly name: string
    readonly labels: ReadonlyMap<string, string>
    readonly value: number
  }>
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y

export const parse = (text: string): ReadonlyMap<string, MetricFamily> => {
  const families = new Map<string, { help: string; type: string; samples: Array<MetricFamily["samples"][number]> }>()
  const seen = new Set<string>()
  let current = ""
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line)
    if (comment !== null) {
      const [, what = "", name = "", said = ""] = comment
      if (what === "HELP") {
        if (families.has(name)) throw new Error(`${name} is there twice`)
        families.set(name, { help: said, type: "", samples: [] })
        current = name
      } else {
        const family = families.get(name)
        if (family === undefined || name !== current || family.type !== "")
          throw new Error(`TYPE out of place: ${line}`)
        if (!["counter", "gauge", "histogram"].includes(said)) throw new Error(`no type: ${line}`)
        family.type = said
      }
      continue
    }
    const [, name = "", inner, value = ""] = sampleLine.exec(line) ?? []
    const family = families.get(current)
    if (family === undefined || family.type === "") throw new Error(`not a sample of a family: ${line}`)
    const ends = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    if (!ends.some((end) => name === current + end)) throw new Error(`not of ${current}: ${line}`)
    const labels = new Map<string, string>()
    label.lastIndex = 0
    const pairs = inner ?? ""
    while (label.lastIndex < pairs.length) {
      const [, key, said = ""] = label.exec(pairs) ?? []
      if (key === undefined || labels.has(key)) throw new Error(`labels: ${line}`)
      labels.set(key, said)
    }
    const series = `${name}{${inner ?? ""}}`
    if (seen.has(series)) throw new Error(`twice: ${series}`)
    seen.add(series)
    const number = value.endsWith("Inf") ? Number(value.replace("Inf", "Infinity")) : Number(value)
    if (family.type !== "gauge" && number < 0) throw new Error(`below nothing: ${line}`)
    family.samples.push({ name, labels, value: number })
  }
  return families
}

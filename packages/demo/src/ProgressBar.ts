/** A bar in the terminal; where the output is no terminal, a line at each new stage. */

const barWidth = 32

export interface ProgressBar {
  readonly show: (stage: string, percent: number) => void
  readonly end: () => void
}

export const make = (out: NodeJS.WriteStream): ProgressBar => {
  let last = ""
  const bar = (percent: number) => {
    const full = Math.round((barWidth * percent) / 100)
    return `${"█".repeat(full)}${"░".repeat(barWidth - full)}`
  }
  return {
    show: (stage, percent) => {
      if (out.isTTY) out.write(`\r\u001b[2K  ${bar(percent)} ${String(Math.round(percent)).padStart(3)} %  ${stage}`)
      else if (stage !== last) out.write(`  ${String(Math.round(percent)).padStart(3)} %  ${stage}\n`)
      last = stage
    },
    end: () => {
      if (out.isTTY && last !== "") out.write("\n")
    },
  }
}

/** A moment as caption files write it: hours always, milliseconds always three digits, rounded once. */
export const clock = (seconds: number, point: "." | ","): string => {
  const millis = Math.round(seconds * 1000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0")
  return `${two(millis / 3_600_000)}:${two((millis / 60_000) % 60)}:${two((millis / 1000) % 60)}${point}${String(millis % 1000).padStart(3, "0")}`
}

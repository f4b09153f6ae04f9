/** A moment as caption files write it: hours always, milliseconds always three digits, rounded once. */
export const formatTimestamp = (seconds: number, decimalSeparator: "." | ","): string => {
  const millis = Math.round(seconds * 1000)
  const twoDigits = (value: number) => String(Math.floor(value)).padStart(2, "0")
  return `${twoDigits(millis / 3_600_000)}:${twoDigits((millis / 60_000) % 60)}:${twoDigits((millis / 1000) % 60)}${decimalSeparator}${String(millis % 1000).padStart(3, "0")}`
}

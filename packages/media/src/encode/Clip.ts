/**
 * A part of a recording. In a file with an index ffmpeg seeks to it, decodes from the key frame before it and drops what is
 * earlier. In other files times cannot be found by a seek, so all of it up to the end of the part is decoded and filters trim it.
 */
import type { MediaInfo } from "../probe/MediaInfo.ts"
import type { EncodingPlan, PlanRequest } from "./EncodingPlan.ts"

const isSeekable = ({ format }: MediaInfo): boolean => /^(mov,|matroska)/.test(format)

/** Options before `-i`. */
export const clipInputArgs = (
  info: MediaInfo,
  { end, start }: NonNullable<PlanRequest["clip"]>,
): ReadonlyArray<string> =>
  isSeekable(info) ? ["-ss", start.toFixed(6), "-t", info.duration.toFixed(6)] : ["-t", (end + 5).toFixed(6)]

/** The first filters of a track: none for a seekable file. */
export const clipFilters = ({ info, request }: EncodingPlan, kind: "" | "a"): ReadonlyArray<string> => {
  const clip = request?.clip
  if (clip === undefined || isSeekable(info)) return []
  const [from, to] = [clip.start.toFixed(6), (clip.start + info.duration).toFixed(6)]
  return [`${kind}trim=start=${from}:end=${to}`, `${kind}setpts=PTS-${from}/TB`]
}

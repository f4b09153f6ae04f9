/**
 * Which audio track of a recording is used, from the streams that ffprobe reports. The stream and its captions follow
 * the same rule, so that the captions belong to the audio that a viewer plays.
 */

/** The fields of an ffprobe stream that decide. */
export interface ProbedStream {
  readonly codec_type?: string
  readonly codec_name?: string
  readonly channels?: number
  readonly disposition?: Readonly<Record<string, number>>
}

/** An audio track with channels (a damaged one has none) in one of the codecs that this ffmpeg decodes. */
export const isDecodableAudio = (
  { channels = 0, codec_name = "", codec_type }: ProbedStream,
  decodableCodecs: ReadonlySet<string>,
): boolean => codec_type === "audio" && channels > 0 && decodableCodecs.has(codec_name)

/** The default track of the file, or its first one. */
export const preferredTrack = <S extends ProbedStream>(streams: ReadonlyArray<S>): S | undefined =>
  streams.find(({ disposition }) => disposition?.["default"] === 1) ?? streams[0]

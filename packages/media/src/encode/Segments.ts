/** The length of the segments of every stream. */
export const segmentSeconds = 4
export const keyFrameSeconds = 2

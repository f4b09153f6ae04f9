/**
 * Works around the body decoding of `rabbitmq-client`: it parses bodies with an `application/json` content type and
 * decodes `text/*`. Signatures cover the raw bytes, and PHP publishers set `application/json`, so the patch removes the
 * content type before the client reads it. A client option for raw bodies would make it unnecessary.
 */
import type { Channel } from "rabbitmq-client"

interface HeaderFrame {
  readonly fields: { contentType?: string | undefined }
}

export const install = (channel: Channel): Channel => {
  // The method is not part of the client's types. The version is pinned, and a test sends both content types.
  const internals = channel as unknown as { _onHeader: (frame: HeaderFrame) => void }
  const original = internals._onHeader.bind(channel)
  internals._onHeader = (frame) => {
    frame.fields.contentType = undefined
    original(frame)
  }
  return channel
}

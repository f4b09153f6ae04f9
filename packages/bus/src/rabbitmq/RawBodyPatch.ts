/**
 * The client parses bodies that say they are JSON and decodes those that say they are text. What was signed are the raw
 * bytes, and a PHP publisher says `application/json`: so the type is taken off before the client looks at it.
 */
import type { Channel } from "rabbitmq-client"

interface HeaderFrame {
  readonly fields: { contentType?: string | undefined }
}

export const install = (channel: Channel): Channel => {
  // The method is not in the client's types; the exact version is pinned, and a test sends both types.
  const internals = channel as unknown as { _onHeader: (frame: HeaderFrame) => void }
  const original = internals._onHeader.bind(channel)
  internals._onHeader = (frame) => {
    frame.fields.contentType = undefined
    original(frame)
  }
  return channel
}

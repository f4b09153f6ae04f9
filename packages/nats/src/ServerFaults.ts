/** Faults of older servers that change what a client must do. */

const isOlderThan = (version: string, minor: number, patch: number): boolean => {
  const [major = 0, ...rest] = version.split(/[.-]/).map(Number)
  const [ownMinor = 0, ownPatch = 0] = rest
  return (
    version !== "" && (major < 2 || (major === 2 && (ownMinor < minor || (ownMinor === minor && ownPatch < patch))))
  )
}

/** nats-server issues 4771 and 4775: a full stream with `discard: new` deletes old messages instead. */
export const discardsOldWhenFull = (version: string): boolean => isOlderThan(version, 10, 5)

/**
 * nats-server 6235: in each block of a stream the server notes the first and the last message of a subject. It does not update the
 * last one when that is deleted. A further deletion that leaves one message of the subject takes the deleted one for it: reads by
 * the subject, or by a wildcard that contains it, no longer find the message that is left. Reads of all subjects (`>`) do.
 */
export const losesMessagesOfSubjects = (version: string): boolean => isOlderThan(version, 10, 25)

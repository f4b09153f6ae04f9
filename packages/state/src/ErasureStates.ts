/** The documents about erased users. Every service reads and writes them. */
import { ErasedUser, ErasureState, ErasingService } from "@armoricore/domain/ErasureState"
import { Duration } from "effect"
import type { Descriptor } from "./Collection.ts"

/** Stored longer than the bus and its dead letters store events. */
const bucket = { name: "erasures", maxAge: Duration.days(30) } as const

export const erasures: Descriptor<ErasureState, typeof ErasureState.Encoded> = { bucket, schema: ErasureState }

/** In the same bucket: no event id has this form of key. */
export const erasedUsers: Descriptor<ErasedUser, typeof ErasedUser.Encoded> = { bucket, schema: ErasedUser }

export const erasingServices: Descriptor<ErasingService, typeof ErasingService.Encoded> = {
  bucket: { name: "erasing_services", maxAge: "never" },
  schema: ErasingService,
}

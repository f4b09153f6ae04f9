/** The documents about erased users. Every service reads and writes them. */
import { ErasedUser, ErasureState, ErasingService } from "@armoricore/domain/ErasureState";
import { Duration } from "effect";
/** Stored longer than the bus and its dead letters store events. */
const bucket = { name: "erasures", maxAge: Duration.days(30) };
export const erasures = { bucket, schema: ErasureState };
/** In the same bucket: no event id has this form of key. */
export const erasedUsers = { bucket, schema: ErasedUser };
export const erasingServices = {
    bucket: { name: "erasing_services", maxAge: "never" },
    schema: ErasingService,
};

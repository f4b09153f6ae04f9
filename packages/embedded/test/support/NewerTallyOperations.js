/** The module of `tally.ts` in a later version. */
import { migrations as former, operations as known } from "./TallyOperations.ts";
export const migrations = [...former, "ALTER TABLE tally_entries ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"];
export const operations = known;

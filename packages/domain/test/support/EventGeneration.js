/** Their payload has a check that fails while all optional fields are absent. */
const needOptionalFields = ["notification.requested", "notification.cancelled"];
/**
 * A series of runs begins with values of size 0, which have no optional field, and repeats them until one is valid. Types that
 * need an optional field have single runs of several sizes instead.
 */
export const generationsOf = (type, usual = {}) => needOptionalFields.includes(type)
    ? [10, 20, 40, 80].map((size) => ({
        name: ` (size ${size})`,
        options: { arbitrary: { runs: 1, size, maxDiscards: 10_000 } },
    }))
    : [{ name: "", options: { arbitrary: usual } }];

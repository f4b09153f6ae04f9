/** A fault of the values that a filter got; the message completes the sentence `… cannot be filled: `. */
export class FilterFault extends Error {
}
/** Of the template's global variables. */
export const localeVariable = "locale";
const isNamed = (value) => Array.isArray(value) && value.length === 2 && typeof value[0] === "string";
/** Liquid passes named arguments as pairs among the others. */
const namedOf = (values) => new Map(values.filter(isNamed));
const numberOf = (value, filter) => {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number))
        return number;
    throw new FilterFault(`the filter ${filter} needs a number, not ${JSON.stringify(value)}`);
};
const dateOf = (value) => {
    const date = typeof value === "number" ? new Date(value * 1000) : new Date(value === "now" ? Date.now() : String(value));
    if (!Number.isNaN(date.getTime()))
        return date;
    throw new FilterFault(`the filter date needs a time such as 2026-01-31T12:00:00Z or Unix seconds, not ${JSON.stringify(value)}`);
};
const dateStyles = ["full", "long", "medium", "short"];
const styleOf = (value, what) => {
    const style = dateStyles.find((known) => known === value);
    if (style !== undefined)
        return style;
    throw new FilterFault(`the filter date has the ${what} ${JSON.stringify(value)}; use ${dateStyles.join(", ")}`);
};
const timeZoneOf = (value) => {
    const timeZone = value === undefined ? "UTC" : String(value);
    try {
        return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
    }
    catch {
        throw new FilterFault(`the filter date has the time zone ${JSON.stringify(value)}; use a name such as Europe/Paris`);
    }
};
/** Adds the filters. `strftime` is Liquid's own filter `date`. */
export const register = (liquid) => {
    const strftime = liquid.filters["date"];
    const localeOf = (context) => localeVariable in context.globals ? String(context.globals[localeVariable]) : "en";
    const filters = {
        number(value) {
            return new Intl.NumberFormat(localeOf(this.context)).format(numberOf(value, "number"));
        },
        percent(value) {
            const format = new Intl.NumberFormat(localeOf(this.context), { style: "percent", maximumFractionDigits: 1 });
            return format.format(numberOf(value, "percent"));
        },
        currency(value, currency) {
            if (typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency))
                throw new FilterFault(`the filter currency needs a code such as "EUR", not ${JSON.stringify(currency)}`);
            const format = new Intl.NumberFormat(localeOf(this.context), { style: "currency", currency });
            return format.format(numberOf(value, "currency"));
        },
        plural(value, ...args) {
            const locale = localeOf(this.context);
            const number = numberOf(value, "plural");
            const forms = namedOf(args);
            const exact = forms.get(`=${number}`) ?? (number === 0 ? forms.get("zero") : undefined);
            const form = exact ?? forms.get(new Intl.PluralRules(locale).select(number)) ?? forms.get("other");
            if (form === undefined)
                throw new FilterFault(`the filter plural needs the form other: "# messages"`);
            return String(form).replaceAll("#", new Intl.NumberFormat(locale).format(number));
        },
        date(value, ...args) {
            const [style] = args.filter((arg) => !isNamed(arg));
            if (typeof style === "string" && style.includes("%") && typeof strftime === "function")
                return strftime.call(this, value, style);
            const named = namedOf(args);
            const time = named.get("time");
            return new Intl.DateTimeFormat(localeOf(this.context), {
                dateStyle: styleOf(style ?? "medium", "style"),
                timeZone: timeZoneOf(named.get("time_zone")),
                ...(time === undefined ? {} : { timeStyle: styleOf(time, "time") }),
            }).format(dateOf(value));
        },
    };
    for (const [name, filter] of Object.entries(filters))
        liquid.registerFilter(name, filter);
};

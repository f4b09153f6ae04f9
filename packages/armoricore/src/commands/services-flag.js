/** `--services`: some of the services, separated by commas. */
import { Option } from "effect";
import { Flag } from "effect/cli";
import { withShownDefault } from "./output.ts";
import { serviceNames } from "../app/Services.ts";
const isServiceName = (text) => serviceNames.some((name) => name === text);
export const servicesFlag = (description) => Flag.String("services").pipe(Flag.withMetavar("LIST"), withShownDefault(`${description}, separated by commas`, serviceNames.join(",")), Flag.filterMap((text) => {
    const parts = text.split(",").map((part) => part.trim());
    return parts.every(isServiceName) ? Option.some(new Set(parts)) : Option.none();
}, () => `some of ${serviceNames.join(",")}, separated by commas`));

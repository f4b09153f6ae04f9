/** The program as a module. */
export { runCommandLine } from "./Cli.ts";
export { main } from "./main.ts";

/** `node --import` of this file resolves imports like the program itself, in the workers of the tests and what they start. */
import module from "node:module"
import { resolveOnce } from "../packages/armoricore/bin/resolve.js"

resolveOnce()
// Node stores what it compiled at its end, which a test that kills the process takes away.
if (process.env["NODE_COMPILE_CACHE"] !== undefined) setTimeout(() => module.flushCompileCache?.(), 1_000).unref()

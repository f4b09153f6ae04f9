/** `node --import` of this file resolves imports like the program itself, in the workers of the tests and what they start. */
import { resolveOnce } from "../packages/armoricore/bin/resolve.js"

resolveOnce()

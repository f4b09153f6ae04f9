/** The official client has no types of its own; the tests of realtime declare the parts that are used. */
import "../../realtime/test/phoenix.d.ts"

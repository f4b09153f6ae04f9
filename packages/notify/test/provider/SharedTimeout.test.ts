import { assert, it } from "@effect/vitest"
import { Cause, type Context, Duration, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as SharedTimeout from "../../src/provider/SharedTimeout.ts"

interface Started {
  readonly ends: Array<readonly [Exit.Exit<string>, boolean]>
  readonly interrupt: Effect.Effect<void>
  isAborted: boolean
}

const started = (
  timeouts: SharedTimeout.SharedTimeout,
  context: Context.Context<never>,
  call: (end: (exit: Exit.Exit<string>) => void, rest: (effect: Effect.Effect<string>) => void) => void,
) => {
  const ends: Started["ends"] = []
  const state = { isAborted: false }
  const interrupt = timeouts.start<string, never>(
    () => context,
    (end, rest) => {
      call(end, rest)
      return () => {
        state.isAborted = true
      }
    },
    (exit, timedOut) => ends.push([exit, timedOut]),
  )
  return Object.assign(state, { ends, interrupt })
}

it.effect("a call ends once: by itself, by the effect that it leaves, by the timeout, or by a defect", () =>
  Effect.gen(function* () {
    const timeouts = yield* SharedTimeout.make(Duration.seconds(1))
    const context = yield* Effect.context<never>()
    const start = (call: Parameters<typeof started>[2]) => started(timeouts, context, call)
    const late: Array<(exit: Exit.Exit<string>) => void> = []
    const ended = start((end) => end(Exit.succeed("at once")))
    const left = start((_end, rest) => rest(Effect.delay(Effect.succeed("later"), "500 millis")))
    const silent = start((end) => late.push(end))
    const stuck = start((_end, rest) => rest(Effect.never))
    const stopped = start((end) => late.push(end))
    const broken = start(() => {
      throw new Error("a defect")
    })
    assert.deepStrictEqual(ended.ends, [[Exit.succeed("at once"), false]])
    assert.isTrue(broken.ends.every(([exit]) => Exit.hasDies(exit)))
    assert.lengthOf(broken.ends, 1)
    yield* stopped.interrupt
    yield* TestClock.adjust("500 millis")
    yield* TestClock.adjust("500 millis")
    for (const end of late) end(Exit.succeed("after its end"))
    assert.deepStrictEqual(left.ends, [[Exit.succeed("later"), false]])
    for (const [call, timedOut] of [
      [silent, true],
      [stuck, true],
      [stopped, false],
    ] as const) {
      assert.lengthOf(call.ends, 1)
      const [[exit, byTimeout] = []] = call.ends
      assert.isTrue(exit?._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(byTimeout, timedOut)
    }
    assert.deepStrictEqual(
      [silent, stuck, stopped].map(({ isAborted }) => isAborted),
      [true, false, true],
    )
  }),
)

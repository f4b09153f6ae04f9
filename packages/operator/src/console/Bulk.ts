/**
 * The same act on many things, a few at a time, with how far it is and a way to stop. Each is an act of its own for the
 * audit log; what fails is counted, and the rest goes on.
 */
import { type App } from "./App.ts"
import { CallFailed } from "./Connection.ts"
import { type Child, h } from "./Dom.ts"
import * as Format from "./Format.ts"

const atOnce = 4

export interface Bulk {
  /** What it does to how many; undefined while nothing runs. */
  readonly draw: () => Child
  readonly isRunning: () => boolean
  readonly run: (word: string, ids: ReadonlyArray<string>, act: (id: string) => Promise<unknown>) => Promise<void>
  readonly stop: () => void
}

export const make = (app: App): Bulk => {
  let running: { readonly word: string; readonly all: number; done: number; failed: number } | undefined
  let isStopped = false

  const stop = () => {
    isStopped = true
  }

  return {
    stop,
    isRunning: () => running !== undefined,
    run: async (word, ids, act) => {
      if (running !== undefined || ids.length === 0) return
      const state = { word, all: ids.length, done: 0, failed: 0 }
      running = state
      isStopped = false
      let next = 0
      let firstFault: string | undefined
      const work = async () => {
        for (let id = ids[next++]; id !== undefined && !isStopped; id = ids[next++]) {
          try {
            await act(id)
            state.done++
          } catch (error) {
            if (error instanceof CallFailed && error.refused) {
              isStopped = true
              return app.signOut(error.message)
            }
            state.failed++
            firstFault ??= error instanceof Error ? error.message : String(error)
          }
          app.draw()
        }
      }
      await Promise.all(Array.from({ length: atOnce }, work))
      running = undefined
      app.say(
        state.failed === 0 ? "good" : "bad",
        `${word} ${Format.number(state.done)} of ${Format.number(state.all)}` +
          (firstFault === undefined ? "" : `; ${Format.number(state.failed)} failed: ${firstFault}`),
      )
    },
    draw: () =>
      running === undefined
        ? null
        : h(
            "div",
            { class: "notice bulk" },
            h("progress", { max: running.all, value: running.done + running.failed, "aria-label": running.word }),
            h(
              "span",
              { class: "num" },
              `${running.word} ${Format.number(running.done)} of ${Format.number(running.all)}`,
            ),
            h("button", { type: "button", onClick: stop }, "Stop"),
          ),
  }
}

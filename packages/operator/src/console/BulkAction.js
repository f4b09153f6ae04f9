/**
 * Applies one action to many items with limited concurrency, shows the progress, and can be stopped. The audit log gets
 * one entry per item. A failure is counted and does not stop the rest.
 */
import {} from "./App.ts";
import { CallError } from "./Connection.ts";
import { h } from "./VirtualDom.ts";
import * as Format from "./Format.ts";
const concurrency = 16;
export const make = (app) => {
    let running;
    let isStopped = false;
    const stop = () => {
        isStopped = true;
    };
    return {
        stop,
        isRunning: () => running !== undefined,
        run: async (label, ids, act) => {
            if (running !== undefined || ids.length === 0)
                return;
            const state = { label, total: ids.length, done: 0, failed: 0 };
            running = state;
            isStopped = false;
            let next = 0;
            let firstError;
            const work = async () => {
                for (let id = ids[next++]; id !== undefined && !isStopped; id = ids[next++]) {
                    try {
                        await act(id);
                        state.done++;
                    }
                    catch (error) {
                        if (error instanceof CallError && error.isAccessDenied) {
                            isStopped = true;
                            return app.signOut(error.message);
                        }
                        state.failed++;
                        firstError ??= error instanceof Error ? error.message : String(error);
                    }
                    app.render();
                }
            };
            await Promise.all(Array.from({ length: concurrency }, work));
            running = undefined;
            app.showToast(state.failed === 0 ? "good" : "bad", `${label} ${Format.number(state.done)} of ${Format.number(state.total)}` +
                (firstError === undefined ? "" : `; ${Format.number(state.failed)} failed: ${firstError}`));
        },
        render: () => running === undefined
            ? null
            : h("div", { class: "notice bulk" }, h("progress", { max: running.total, value: running.done + running.failed, "aria-label": running.label }), h("span", { class: "num" }, `${running.label} ${Format.number(running.done)} of ${Format.number(running.total)}`), h("button", { type: "button", onClick: stop }, "Stop")),
    };
};

import { choiceParam, segmentedControl, copyButton, emptyState, viewHeader, loading, badge, errorNotice, unlessAll, } from "../App.ts";
import { h } from "../VirtualDom.ts";
import { linkTo } from "../Location.ts";
import * as Format from "../Format.ts";
const nameOf = ({ kind, media_id }) => (kind === "media" ? media_id : `the captions of ${media_id}`);
export const view = (app) => {
    let jobs;
    let failure;
    let statusFilter = choiceParam(app, "status", ["processing", "ready", "failed"]) ?? "all";
    let kindFilter = choiceParam(app, "kind", ["media", "transcription"]) ?? "all";
    let query = app.params.get("query") ?? "";
    let stop = () => { };
    const watch = () => {
        stop();
        app.setParams({ status: unlessAll(statusFilter), kind: unlessAll(kindFilter), query });
        const filter = {
            ...(statusFilter === "all" ? {} : { status: statusFilter }),
            ...(kindFilter === "all" ? {} : { kind: kindFilter }),
            ...(query === "" ? {} : { query }),
        };
        stop = app.connection.watch((client) => client.WatchJobs(filter), (latest) => {
            jobs = latest;
            failure = undefined;
            app.render();
        }, (callFailure) => {
            if (callFailure.isAccessDenied)
                return app.signOut(callFailure.message);
            failure = callFailure.message;
            app.render();
        });
    };
    watch();
    const cancel = async (job) => {
        const { kind, media_id } = job;
        const question = {
            title: "Cancel this job?",
            text: `The job of ${nameOf(job)} stops, its owner is notified, and its output is deleted.`,
            confirm: "Cancel the job",
            dangerous: true,
        };
        if ((await app.confirm(question)) === undefined)
            return;
        await app.perform(`${nameOf(job)}: cancellation requested`, () => app.connection.call((client) => client.CancelJob({ kind, media_id })));
    };
    const retry = (job) => {
        const { kind, media_id } = job;
        return app.perform(`${nameOf(job)}: retry requested`, () => app.connection.call((client) => client.RetryJob({ kind, media_id })));
    };
    const state = (job) => {
        if (job.status === "ready")
            return badge("good", "ready");
        if (job.status === "failed")
            return badge("bad", job.error?.code ?? "failed");
        return badge("warn", job.stage);
    };
    const progress = (job) => job.status === "processing"
        ? h("div", { class: "progress" }, h("progress", { max: 100, value: job.percent, "aria-label": `Progress of ${nameOf(job)}` }), h("span", { class: "num" }, `${Math.floor(job.percent)} %`))
        : null;
    const thumbnail = (job) => {
        const [first] = job.thumbnails;
        if (job.kind === "transcription") {
            return h("div", { class: "picture" }, h("span", { class: "picture-none", "aria-hidden": "true" }, "CC"));
        }
        return h("div", { class: "picture" }, first === undefined
            ? h("span", { class: "picture-none", "aria-hidden": "true" }, job.status === "processing" ? "…" : "–")
            : h("img", { src: first, alt: `Thumbnail of ${job.media_id}`, loading: "lazy" }));
    };
    const row = (job) => h("li", {
        class: "job",
        key: `${job.kind} ${job.media_id}`,
        "data-row": "",
        tabindex: "0",
        "aria-label": `${nameOf(job)}, ${job.status}`,
    }, thumbnail(job), h("div", { class: "job-main" }, h("div", { class: "job-title" }, h("a", {
        href: linkTo("jobs", { kind: job.kind, query: job.media_id }),
        title: "Link to this job",
    }, h("code", {}, job.media_id)), job.kind === "media" ? null : badge("calm", "captions"), state(job)), h("p", { class: "soft" }, "by ", h("a", { href: linkTo("users", { id: job.user_id }) }, job.user_id), [
        "",
        Format.ago(job.updated_at),
        job.duration === undefined ? "" : Format.duration(job.duration * 1_000),
        job.resolutions.join(", "),
        (job.languages ?? []).join(", "),
    ]
        .filter((part, at) => at === 0 || part !== "")
        .join(" · ")), progress(job), job.error === undefined ? null : h("p", { class: "wrong" }, job.error.message), h("div", { class: "copies" }, copyButton(app, "trace", job.trace_id), copyButton(app, "request", job.request_id), copyButton(app, "event", job.event_id), job.playback === undefined
        ? null
        : h("a", { class: "copy", href: job.playback, target: "_blank", rel: "noreferrer" }, "playlist"), h("a", { class: "copy", href: linkTo("media", { id: job.media_id }) }, "media"))), h("div", { class: "row-acts" }, job.status === "processing"
        ? h("button", { type: "button", class: "quiet bad", onClick: () => void cancel(job) }, "Cancel")
        : null, job.status === "failed" && job.retryable
        ? h("button", { type: "button", onClick: () => void retry(job) }, "Retry")
        : null));
    const options = [
        ["all", "All"],
        ["processing", "Running"],
        ["ready", "Ready"],
        ["failed", "Failed"],
    ];
    const kindOptions = [
        ["all", "All"],
        ["media", "Media"],
        ["transcription", "Captions"],
    ];
    return {
        dispose: () => stop(),
        render: () => [
            viewHeader("Jobs", "Transcoding of uploads and their captions, latest change first.", segmentedControl("Kind", kindOptions, kindFilter, (value) => {
                kindFilter = value;
                watch();
                app.render();
            }), segmentedControl("Status", options, statusFilter, (value) => {
                statusFilter = value;
                watch();
                app.render();
            }), h("input", {
                type: "search",
                class: "search",
                placeholder: "Media id or user",
                value: query,
                "aria-label": "Search for a media id or user",
                onInput: (event) => {
                    if (!(event.target instanceof HTMLInputElement))
                        return;
                    query = event.target.value.trim();
                    watch();
                },
            })),
            errorNotice(failure),
            jobs === undefined
                ? loading
                : jobs.length === 0
                    ? statusFilter !== "all" || kindFilter !== "all" || query !== ""
                        ? emptyState("No matching jobs", "No job matches these filters. Older finished jobs are not listed.")
                        : emptyState("No jobs", "A job appears when media.uploaded or transcription.requested is published.")
                    : h("ul", { class: "list" }, jobs.map(row)),
        ],
    };
};

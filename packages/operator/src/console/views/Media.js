import { badge, copyButton, emptyState, errorNotice, loading, Polled, viewHeader } from "../App.ts";
import * as Format from "../Format.ts";
import { linkTo } from "../Location.ts";
import * as Player from "../Player.ts";
import { userEvents } from "../UserEvents.ts";
import { h } from "../VirtualDom.ts";
const pageSize = 100;
export const view = (app) => {
    let query = app.params.get("query") ?? "";
    let id = app.params.get("id") ?? undefined;
    let detail;
    let failure;
    const player = Player.make((message) => app.showToast("bad", message));
    const media = new Polled(app, () => app.connection.call((client) => client.ListJobs({ kind: "media", limit: pageSize, ...(query === "" ? {} : { query }) })));
    const poll = (mediaId) => new Polled(app, async () => {
        const loaded = await app.connection.call((client) => client.GetMedia({ media_id: mediaId }));
        if (mediaId === id)
            detail = loaded;
        return loaded;
    });
    let details = id === undefined ? undefined : poll(id);
    const open = (mediaId) => {
        id = mediaId;
        detail = undefined;
        failure = undefined;
        details?.stop();
        details = mediaId === undefined ? undefined : poll(mediaId);
        app.setParams({ id: mediaId }, "push");
        app.render();
        requestAnimationFrame(() => document.querySelector("#media")?.scrollIntoView({ block: "nearest" }));
    };
    const row = (job) => {
        const [first] = job.thumbnails;
        return h("li", { key: job.media_id }, h("button", {
            type: "button",
            class: "letter film",
            "data-row": "",
            "aria-current": job.media_id === id ? "true" : undefined,
            onClick: () => open(job.media_id),
        }, h("span", { class: "picture" }, first === undefined
            ? h("span", { class: "picture-none", "aria-hidden": "true" }, "–")
            : h("img", { src: first, alt: "", loading: "lazy" })), h("span", { class: "film-text" }, h("code", {}, job.media_id), h("span", { class: "soft" }, [
            job.user_id,
            job.status,
            job.duration === undefined ? "" : Format.duration(job.duration * 1_000),
            Format.ago(job.updated_at),
        ]
            .filter((part) => part !== "")
            .join(" · ")))));
    };
    const captionRow = ({ engine, language, quality, srt, vtt, word_count }) => h("li", { class: "event-row", key: language }, h("b", {}, language), h("span", { class: "soft" }, `${Format.number(word_count)} words · ${engine} · ${quality}`), h("div", { class: "copies" }, h("a", { class: "copy", href: vtt, target: "_blank", rel: "noreferrer" }, "WebVTT"), h("a", { class: "copy", href: srt, target: "_blank", rel: "noreferrer" }, "SubRip")));
    const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
    const shown = ({ captions, deliveries, jobs, media_id, poster, renditions, user_id }) => {
        const job = jobs.find(({ kind }) => kind === "media") ?? jobs[0];
        return h("section", { class: "card letter-detail", id: "media", key: media_id, "aria-labelledby": "media-title" }, h("h2", { id: "media-title" }, media_id), job?.playback === undefined ? null : h("div", {}, player.render(job.playback, poster, `Player of ${media_id}`)), h("dl", { class: "facts" }, fact("User", h("a", { href: linkTo("users", { id: user_id }) }, user_id)), jobs.map((each) => fact(each.kind === "media" ? "Media" : "Captions", h("a", { href: linkTo("jobs", { kind: each.kind, query: media_id }) }, each.status === "processing" ? `${each.stage}, ${Math.floor(each.percent)} %` : each.status))), job?.duration === undefined ? null : fact("Duration", Format.duration(job.duration * 1_000)), renditions.length === 0
            ? null
            : fact("Renditions", renditions
                .map(({ bandwidth, name }) => `${name} (${Format.number(Math.round(bandwidth / 1_000))} kbit/s)`)
                .join(", "))), jobs.map((each) => (each.error === undefined ? null : h("p", { class: "wrong" }, each.error.message))), h("div", { class: "copies" }, copyButton(app, "media", media_id), copyButton(app, "trace", job?.trace_id), copyButton(app, "request", job?.request_id), copyButton(app, "event", job?.event_id)), h("h3", {}, "Captions"), captions.length === 0
            ? h("p", { class: "soft" }, "No captions.")
            : h("ul", { class: "plain" }, captions.map(captionRow)), h("h3", {}, "Deliveries to the user"), userEvents(app, deliveries, "The user was sent no event about this media, or only older ones."), h("div", { class: "acts" }, h("button", { type: "button", class: "quiet", onClick: () => open(undefined) }, "Close")));
    };
    const selected = () => {
        if (id === undefined)
            return h("p", { class: "card hint" }, "Select a media to play it.");
        if (detail !== undefined)
            return shown(detail);
        return h("div", { class: "card" }, failure === undefined ? loading : badge("bad", failure));
    };
    return {
        dispose: () => {
            media.stop();
            details?.stop();
            player.dispose();
        },
        render: () => {
            failure = detail === undefined ? details?.failure : undefined;
            return [
                viewHeader("Media", "The newest media with player, captions and deliveries.", h("input", {
                    type: "search",
                    class: "search",
                    placeholder: "Media id or user",
                    "aria-label": "Search for a media id or user",
                    value: query,
                    onInput: (event) => {
                        if (!(event.target instanceof HTMLInputElement))
                            return;
                        query = event.target.value.trim();
                        app.setParams({ query });
                        void media.refresh();
                    },
                })),
                errorNotice(media.failure),
                media.value === undefined
                    ? loading
                    : media.value.length === 0 && id === undefined
                        ? emptyState("No media", "A media appears when media.uploaded is published.")
                        : h("div", { class: "split" }, h("ul", { class: "list letters", "aria-label": "Media" }, media.value.map(row)), selected()),
            ];
        },
    };
};

import { choiceParam, segmentedControl, copyButton, emptyState, viewHeader, loading, badge, Polled, errorNotice, unlessAll, } from "../App.ts";
import { h } from "../VirtualDom.ts";
import * as Format from "../Format.ts";
const reasonOptions = [
    ["all", "All"],
    ["word", "Words"],
    ["link", "Links"],
    ["flood", "Floods"],
    ["repeated", "Repeated"],
];
export const view = (app) => {
    let status = choiceParam(app, "status", ["pending", "approved", "removed"]) ?? "pending";
    let reason = choiceParam(app, "reason", ["word", "link", "flood", "repeated"]) ?? "all";
    const reviews = new Polled(app, () => app.connection.call((client) => client.ListReviews({ status, limit: 200, ...(reason === "all" ? {} : { reason }) })));
    /** Decides on all listed messages. */
    const decideAll = async (listed, decision) => {
        await app.perform(decision === "approve" ? `${listed.length} messages are approved` : `${listed.length} messages are removed`, () => app.connection.call((client) => client.DecideReviews({ review_ids: listed.map(({ review_id }) => review_id), decision })));
        void reviews.refresh();
    };
    const decide = async ({ review_id, user_id }, verdict) => {
        await app.perform(verdict === "approve" ? `The message of ${user_id} is approved` : `The message of ${user_id} is removed`, () => app.connection.call((client) => verdict === "approve" ? client.ApproveReview({ review_id }) : client.RemoveReview({ review_id })));
        void reviews.refresh();
    };
    const row = (review) => h("li", {
        class: "review",
        key: review.review_id,
        "data-row": "",
        tabindex: "0",
        "aria-label": `Flagged message of ${review.user_id}`,
    }, h("div", {}, review.content === undefined
        ? h("p", { class: "soft" }, "The text is no longer stored.")
        : h("blockquote", {}, review.content), h("p", { class: "soft" }, `${review.user_id} in ${review.conversation_id} · ${Format.ago(review.flagged_at)}`, review.decided_by === undefined ? "" : ` · ${review.status} by ${review.decided_by}`), h("div", { class: "copies" }, review.reasons.map((code) => badge("warn", code)), review.count === undefined ? null : badge("warn", `${review.count} messages`), copyButton(app, "trace", review.trace_id))), review.status === "pending"
        ? h("div", { class: "row-acts" }, h("button", { type: "button", onClick: () => void decide(review, "approve") }, "Approve"), h("button", { type: "button", class: "quiet bad", onClick: () => void decide(review, "remove") }, "Remove"))
        : null);
    const bulkActions = (listed) => status !== "pending" || listed.length < 2
        ? null
        : h("div", { class: "row-acts" }, h("button", { type: "button", onClick: () => void decideAll(listed, "approve") }, `Approve all ${listed.length}`), h("button", { type: "button", class: "quiet bad", onClick: () => void decideAll(listed, "remove") }, `Remove all ${listed.length}`));
    const options = [
        ["pending", "Pending"],
        ["approved", "Approved"],
        ["removed", "Removed"],
    ];
    return {
        dispose: () => reviews.stop(),
        render: () => [
            viewHeader("Moderation", "Messages that a rule or the model flagged for review.", segmentedControl("Status", options, status, (value) => {
                status = value;
                app.setParams({ status });
                reviews.value = undefined;
                void reviews.refresh();
                app.render();
            }), segmentedControl("Reason", reasonOptions, reason, (value) => {
                reason = value;
                app.setParams({ reason: unlessAll(value) });
                reviews.value = undefined;
                void reviews.refresh();
                app.render();
            })),
            errorNotice(reviews.failure),
            reviews.value === undefined
                ? loading
                : reviews.value.length === 0
                    ? emptyState("No messages", status === "pending" ? "No message waits for a decision." : "No message has this decision.")
                    : [bulkActions(reviews.value), h("ul", { class: "list" }, reviews.value.map(row))],
        ],
    };
};

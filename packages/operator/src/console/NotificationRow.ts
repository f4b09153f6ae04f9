/** A notification with its deliveries: attempts, and what the provider answered. */
import type { DeliveryInfo, NotificationInfo } from "../api/Notification.ts"
import { type App, badge, copyButton } from "./App.ts"
import * as Format from "./Format.ts"
import { h, type VChild } from "./VirtualDom.ts"

const kinds: Readonly<Record<string, "good" | "bad" | "warn">> = {
  sent: "good",
  delivered: "good",
  failed: "bad",
  bounced: "bad",
  complained: "bad",
  pending: "warn",
  deferred: "warn",
  unknown: "warn",
}

export const statusBadge = (status: string): VChild => badge(kinds[status] ?? "calm", status)

const deliveryRow = (
  app: App,
  { attempts, channel, message, next_attempt_at, provider, provider_id, reason, status }: DeliveryInfo,
): VChild =>
  h(
    "li",
    { class: "delivery-row" },
    h(
      "span",
      {},
      provider === undefined || provider === "none" || provider === channel ? channel : `${channel} by ${provider}`,
    ),
    statusBadge(status),
    h(
      "span",
      { class: "soft" },
      [
        reason ?? "",
        attempts === 0 ? "" : `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
        next_attempt_at === undefined ? "" : `next ${Format.moment(next_attempt_at)}`,
      ]
        .filter((part) => part !== "")
        .join(" · "),
    ),
    copyButton(app, "provider's id", provider_id),
    message === undefined ? null : h("blockquote", {}, message),
  )

export const notificationRow = (app: App, one: NotificationInfo): VChild =>
  h(
    "li",
    { class: "event-row", key: one.notification_id },
    h("b", {}, one.title),
    statusBadge(one.status),
    h("span", { class: "soft" }, `${one.notification_type} · ${Format.moment(one.requested_at)}`),
    one.error === undefined ? null : h("p", { class: "wrong" }, one.error),
    h(
      "ul",
      { class: "plain deliveries" },
      one.deliveries.map((delivery) => deliveryRow(app, delivery)),
    ),
    one.delivery_count > one.deliveries.length
      ? h("p", { class: "soft" }, `and ${one.delivery_count - one.deliveries.length} more deliveries`)
      : null,
    h("div", { class: "copies" }, copyButton(app, "notification", one.notification_id)),
  )

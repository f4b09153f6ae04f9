/** What a user receives and where: devices, preferences and the inbox. */
import type { UserReach } from "../api/Notification.ts"
import { badge } from "./App.ts"
import * as Format from "./Format.ts"
import { h, type VChild } from "./VirtualDom.ts"

const card = (title: string, ...content: ReadonlyArray<VChild>): VChild =>
  h("section", { class: "card", "aria-label": title }, h("h2", {}, title), content)

const deviceRow = ({
  app,
  device_id,
  locale,
  platform,
  registered_at,
  time_zone,
}: UserReach["devices"][number]): VChild =>
  h(
    "li",
    { class: "event-row", key: device_id },
    h("b", {}, device_id),
    badge("calm", platform),
    h(
      "span",
      { class: "soft" },
      [app, locale, time_zone, `registered ${Format.ago(registered_at)}`]
        .filter((one) => one !== undefined)
        .join(" · "),
    ),
  )

const preferenceRows = ({ categories, locale, quiet_hours }: UserReach["preferences"]): ReadonlyArray<VChild> => [
  ...Object.entries(categories).map(([name, channels]) =>
    h(
      "li",
      { class: "event-row", key: name },
      h("b", {}, name === "*" ? "all categories" : name),
      Object.entries(channels).map(([channel, isOn]) =>
        badge(isOn ? "good" : "warn", `${channel} ${isOn ? "on" : "off"}`),
      ),
    ),
  ),
  quiet_hours === undefined
    ? null
    : h("li", { class: "event-row" }, `Quiet from ${quiet_hours.from} to ${quiet_hours.to}, ${quiet_hours.time_zone}`),
  locale === undefined ? null : h("li", { class: "event-row" }, `Language ${locale}`),
]

const itemRow = ({ archived_at, created_at, id, read_at, title }: UserReach["inbox"]["items"][number]): VChild =>
  h(
    "li",
    { class: "event-row", key: id },
    h("b", {}, title),
    badge(
      read_at === undefined ? "warn" : "calm",
      archived_at !== undefined ? "archived" : read_at === undefined ? "unread" : "read",
    ),
    h("span", { class: "soft" }, Format.ago(created_at)),
  )

export const reachSections = ({ devices, inbox, preferences }: UserReach): VChild => {
  const { categories, locale, quiet_hours } = preferences
  const isDefault = Object.keys(categories).length === 0 && locale === undefined && quiet_hours === undefined
  return [
    card(
      "Devices",
      devices.length === 0
        ? h("p", { class: "soft" }, "No device is registered.")
        : h("ul", { class: "plain" }, devices.map(deviceRow)),
    ),
    card(
      "Preferences",
      isDefault
        ? h("p", { class: "soft" }, "Everything is on.")
        : h("ul", { class: "plain" }, preferenceRows(preferences)),
    ),
    card(
      `Inbox, ${inbox.unread} unread`,
      inbox.items.length === 0
        ? h("p", { class: "soft" }, "The inbox is empty.")
        : h("ul", { class: "plain" }, inbox.items.map(itemRow)),
    ),
  ]
}

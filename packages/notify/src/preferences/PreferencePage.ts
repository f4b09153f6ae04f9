/**
 * The page that mails link to: the user chooses categories and channels without a login, by a signed link. A category that
 * is switched on again also ends the unsubscription of the mail's address.
 */
import { anyCategory, isAllowed, type PreferenceChannel, type Preferences } from "@armoricore/domain/Preferences"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { Html, html } from "../request/Html.ts"
import { Suppressions } from "../unsubscribe/Suppressions.ts"
import {
  htmlResponse,
  messagePage,
  type PreferencesClaim,
  preferencesPath,
  textsOf,
  unknownLink,
  UnsubscribeLinks,
} from "../unsubscribe/UnsubscribeLinks.ts"
import { CategoryRules } from "./PreferenceRules.ts"

const channels = ["email", "push", "in_app", "sms"] as const satisfies ReadonlyArray<PreferenceChannel>

/** `GET` and `POST /v1/preferences/{token}`. */
export const routes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const links = yield* UnsubscribeLinks
    const preferences = yield* UserPreferences
    const devices = yield* UserDevices
    const suppressions = yield* Suppressions
    const { critical, listed } = yield* CategoryRules
    const claim = Effect.map(HttpRouter.params, ({ token = "" }) => links.verifyPreferences(token))

    const categoriesOf = ({ category }: PreferencesClaim, { categories }: Preferences): ReadonlyArray<string> =>
      [...new Set([category, ...listed, ...Object.keys(categories)])].filter(
        (name) => name !== anyCategory && name !== "" && !critical.has(name),
      )

    /** The reader ended this mail by the link in its header. */
    const hasUnsubscribed = ({ category, hash }: PreferencesClaim) =>
      Effect.map(suppressions.reasonForHash(hash, category), (reason) => reason === "unsubscribed")

    /** SMS only for a reader whose number is registered, or who chose about SMS before. */
    const channelsFor = Effect.fnUntraced(function* ({ userId }: PreferencesClaim, { categories }: Preferences) {
      const hasSms =
        Object.values(categories).some(({ sms }) => sms !== undefined) ||
        (yield* devices.list(userId)).some(({ platform }) => platform === "sms")
      return channels.filter((channel) => channel !== "sms" || hasSms)
    })

    const show = Effect.fnUntraced(function* (reader: PreferencesClaim, saved: boolean) {
      const wanted = yield* preferences.get(reader.userId)
      const offered = yield* channelsFor(reader, wanted)
      const texts = yield* textsOf(wanted.locale)
      const unsubscribed = yield* hasUnsubscribed(reader)
      const isOn = (category: string, channel: PreferenceChannel) =>
        isAllowed(wanted, category, channel) && !(unsubscribed && channel === "email" && category === reader.category)
      const rows = categoriesOf(reader, wanted).map(
        (category) =>
          html`<tr>
            <th scope="row" style="text-align:left">${category}</th>
            ${offered.map(
              (channel) =>
                html`<td style="text-align:center">
                  <input type="hidden" name="shown" value="${category}.${channel}" />
                  <input
                    type="checkbox"
                    name="on"
                    value="${category}.${channel}"
                    aria-label="${category}: ${texts.channels[channel]}"
                    ${isOn(category, channel) ? checked : nothing}
                  />
                </td>`,
            )}
          </tr>`,
      )
      return htmlResponse(
        200,
        html`<h1>${texts.notifications}</h1>
          ${saved ? html`<p role="status">${texts.saved}</p>` : nothing}
          <form method="post">
            <table style="width:100%">
              <thead>
                <tr>
                  <th></th>
                  ${offered.map((channel) => html`<th scope="col">${texts.channels[channel]}</th>`)}
                </tr>
              </thead>
              <tbody>
                ${rows}
              </tbody>
            </table>
            <p><button>${texts.save}</button></p>
          </form>`.text,
        texts.notifications,
        texts,
      )
    })

    const save = Effect.fnUntraced(function* (reader: PreferencesClaim, form: URLSearchParams) {
      const shown = new Set(form.getAll("shown"))
      const on = new Set(form.getAll("on"))
      yield* preferences.update(reader.userId, (current) => {
        const known = categoriesOf(reader, current)
        const chosen = known.map((category) => {
          const choice = channels.flatMap((channel) => {
            const field = `${category}.${channel}`
            return shown.has(field) ? [[channel, on.has(field)] as const] : []
          })
          const before = Object.hasOwn(current.categories, category) ? current.categories[category] : {}
          return [category, { ...before, ...Object.fromEntries(choice) }] as const
        })
        return { ...current, categories: { ...current.categories, ...Object.fromEntries(chosen) } }
      })
      if (on.has(`${reader.category}.email`) && (yield* hasUnsubscribed(reader)))
        yield* suppressions.remove(reader.hash, reader.category)
      yield* Effect.logInfo("a reader changed preferences", { user_id: reader.userId })
    })

    const respond = (handler: (reader: PreferencesClaim) => ReturnType<typeof show>) =>
      Effect.gen(function* () {
        const texts = yield* textsOf()
        const reader = yield* claim
        if (reader === undefined) return unknownLink(texts)
        return yield* Effect.catch(handler(reader), (error) =>
          Effect.as(
            Effect.logError(`the preferences of a reader could not be read or stored: ${error.message}`),
            messagePage(503, texts, texts.tryAgain, texts.unavailable),
          ),
        )
      })

    yield* router.add(
      "GET",
      `${preferencesPath}/:token`,
      respond((reader) => show(reader, false)),
    )
    yield* router.add(
      "POST",
      `${preferencesPath}/:token`,
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.matchEffect(request.text, {
          onFailure: () =>
            Effect.map(textsOf(), (texts) => messagePage(400, texts, texts.tryAgain, texts.incompleteForm)),
          onSuccess: (text) =>
            respond((reader) => Effect.andThen(save(reader, new URLSearchParams(text)), show(reader, true))),
        }),
      ),
    )
  }),
)

const nothing = new Html("")
const checked = new Html("checked")

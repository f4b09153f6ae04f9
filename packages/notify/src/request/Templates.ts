/**
 * Templates by name. The Schema of a template describes its context. A request with an invalid context fails with an
 * error that names the field, and is never sent partly filled.
 *
 * @example
 * ```ts
 * const welcome = Templates.make("welcome", Schema.Struct({ name: Schema.String }), ({ name }) => ({
 *   title: `Welcome, ${name}`,
 *   text: `Good to have you, ${name}.`,
 *   html: html`<p>Good to have you, <b>${name}</b>.</p>`,
 * }))
 * const notify = NotifyService.layer().pipe(Layer.provide(Templates.Templates.layer([welcome])))
 * ```
 */
import { PermanentError } from "@armoricore/domain/Errors"
import type { PayloadOf } from "@armoricore/domain/EventRegistry"
import type { Attachment } from "@armoricore/domain/NotificationState"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { Context, Effect, Layer, Schema } from "effect"
import { type Html, page } from "./Html.ts"

export interface Rendered {
  readonly title: string
  readonly text: string
  readonly html?: string
  /** Where the request has no such field. */
  readonly email?: EmailOptions
  /** The inline images of `html`. */
  readonly attachments?: ReadonlyArray<Attachment>
}

/**
 * The variable `preferences_url` of templates. Each mail gets its own link in place of it, since the link belongs to one address.
 */
export const preferencesUrlMarker = "https://preferences.invalid/"

type EmailOptions = NonNullable<PayloadOf<"notification.requested">["email"]>

export interface Template {
  readonly name: string
  /** `locale` is the language of the reader, if it is known. */
  readonly render: (context: unknown, locale?: string) => Effect.Effect<Rendered, PermanentError>
}

/** `write` receives the decoded context. Its `html` is placed into a page with `title`. */
export const make = <S extends Schema.ConstraintDecoder<unknown>>(
  name: string,
  context: S,
  write: (context: S["Type"]) => { readonly title: string; readonly text: string; readonly html?: Html },
): Template => {
  const decode = Schema.decodeUnknownEffect(context)
  return {
    name,
    render: (value) =>
      decode(value).pipe(
        Effect.mapError((error) => {
          const { message } = EventCodec.describeSchemaError(error, { parent: "context" })
          return new PermanentError({
            code: "template_context",
            message: `the template ${name} cannot be filled: ${message}`,
          })
        }),
        Effect.map(write),
        Effect.map(({ html, text, title }) => ({
          title,
          text,
          ...(html === undefined ? {} : { html: page(title, html.text) }),
        })),
      ),
  }
}

export class Templates extends Context.Service<
  Templates,
  {
    readonly names: ReadonlyArray<string>
    /** `PermanentError` codes `unknown_template`, `template_context`. */
    readonly render: (name: string, context: unknown, locale?: string) => Effect.Effect<Rendered, PermanentError>
  }
>()("@armoricore/notify/Templates") {
  static readonly layer = (templates: ReadonlyArray<Template> = []): Layer.Layer<Templates> =>
    Layer.sync(Templates, () => {
      const known = new Map(templates.map((template) => [template.name, template]))
      return {
        names: [...known.keys()],
        render: (name, context, locale) => {
          const template = known.get(name)
          return template === undefined
            ? Effect.fail(
                new PermanentError({
                  code: "unknown_template",
                  message: `the template ${JSON.stringify(name)} does not exist; the templates are: ${[...known.keys()].join(", ") || "none"}`,
                }),
              )
            : template.render(context, locale)
        },
      }
    })
}

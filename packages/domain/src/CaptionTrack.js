/** Captions that the owner of a media or a backend has uploaded. */
import { Option, Schema } from "effect";
import { Timestamp } from "./JsonCodecs.ts";
/** `captions` are for viewers who do not hear, with sounds and speakers; `forced` shows only what all viewers need. */
export const CaptionKind = Schema.Literals(["subtitles", "captions", "forced"]);
/** BCP 47, as `Intl` accepts it. */
export const CaptionLanguage = Schema.String.check(Schema.makeFilter((text) => isLanguage(text), { expected: "a language tag of BCP 47 such as de or pt-BR" }));
export const UploadedCaptions = Schema.Struct({
    language: Schema.String,
    kind: CaptionKind,
    /** The name in the menu of a player; absent: the name of the language. */
    title: Schema.optionalKey(Schema.String),
    /** The WebVTT file in the bucket. Its name contains a hash of its content. */
    key: Schema.String,
    cues: Schema.Int,
    uploaded_at: Timestamp,
});
/** The place of uploaded captions in the state of a media: one file for each language and kind. */
export const captionsKey = ({ kind, language }) => `${language}.${kind}`;
/** The folder of the uploaded captions of a media. */
export const captionsPrefix = (mediaId) => `captions/${mediaId}/`;
/** The canonical form: `pt-br` is `pt-BR`. Undefined if the text is no language. */
export const canonicalLanguage = (text) => isLanguage(text) ? Intl.getCanonicalLocales(text)[0] : undefined;
const isLanguage = (text) => /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(text) && text.length <= 35 && Option.isSome(canonicalLocales(text));
const canonicalLocales = Option.liftThrowable((text) => Intl.getCanonicalLocales(text));

/** Settings of captions (speech engines) and of moderation. */
import { dialectNames } from "@armoricore/ai/engines/OpenAiCompatible"
import { engineNames, localEngineNames } from "@armoricore/ai/engines/SpeechEngineRegistry"
import { choice, int, list, secret, text, url, withDefault, httpProtocols } from "./Setting.ts"

export const captions = {
  SPEECH_ENGINE: choice(
    ...engineNames,
    "off",
  )({
    description: `speech engine for captions: ${engineNames.join(", ")} or off`,
    defaultText: "pocketsphinx where it is installed, else off",
    example: "openai",
  }),
  SPEECH_BASE_URL: url(...httpProtocols)({
    description: "base URL of an OpenAI-compatible speech API",
    example: "https://api.openai.com/v1",
  }),
  SPEECH_API_KEY: secret({ description: "API key of the speech API", example: "sk-…" }),
  SPEECH_MODEL: text({ description: "model of the speech API", defaultText: "whisper-1", example: "whisper-1" }),
  SPEECH_DIALECT: withDefault(
    choice(...dialectNames)({ description: `server behind the speech API: ${dialectNames.join(", ")}` }),
    "openai",
    "openai",
  ),
  SPEECH_FALLBACK: list({
    description: `engines to use, in this order, when the first one fails: ${localEngineNames.join(", ")}`,
    defaultText: "none; the request is retried later",
    example: "pocketsphinx",
  }),
  SPEECH_VOCABULARY: list({
    description: "names and terms of all recordings, which the speech engine then writes as here, separated by commas",
    defaultText: "none",
    example: "Armoricore,Roscoff",
  }),
  LANGUAGE_MODEL_BASE_URL: url(...httpProtocols)({
    description: "base URL of an OpenAI-compatible chat API that translates and outlines transcripts",
    defaultText: "off",
    example: "https://api.openai.com/v1",
  }),
  LANGUAGE_MODEL_API_KEY: secret({ description: "API key of the chat API", example: "sk-…" }),
  LANGUAGE_MODEL: text({ description: "model of the chat API", example: "gpt-4o-mini" }),
  CAPTION_LANGUAGES: list({
    description: "languages (BCP 47) into which every transcript is translated, separated by commas",
    defaultText: "none; requests may name some",
    example: "de,fr",
  }),
  TRANSCRIPT_OUTLINE: withDefault(
    choice("on", "off")({ description: "title, summary and chapters of every transcript, by the chat API" }),
    "off",
    "on",
  ),
  WHISPER_CLI_PATH: text({ description: "path of whisper-cli of whisper.cpp", example: "/usr/local/bin/whisper-cli" }),
  WHISPER_MODEL_PATH: text({ description: "path of the model file for whisper-cli", example: "/models/ggml-base.bin" }),
  MODERATION_RULES: withDefault(choice("on", "off")({ description: "built-in moderation rules" }), "on", "on"),
  MODERATION_WORDS: list({
    description: "messages with these words or phrases are removed; separated by commas, * matches any word ending",
    defaultText: "none",
    example: "word,some phrase,scam*",
  }),
  MODERATION_REVIEW_WORDS: list({
    description: "messages with these words or phrases are flagged for review",
    defaultText: "none",
    example: "word",
  }),
  MODERATION_LINKS: withDefault(
    choice("allow", "review", "remove")({ description: "action for messages with links" }),
    "allow",
    "allow",
  ),
  MODERATION_ALLOWED_HOSTS: list({
    description: "hosts that messages may link to, with their subdomains, separated by commas",
    defaultText: "none",
    example: "example.com",
  }),
  MODERATION_FLOOD_LIMIT: withDefault(
    int(2, 1000)({ description: "messages of one user in a room within 5 s that count as a flood" }),
    10,
    "10",
  ),
  MODERATION_FLOOD_ACTION: withDefault(
    choice("review", "remove")({ description: "action for floods and repeated messages" }),
    "review",
    "review",
  ),
  MODERATION_BASE_URL: url(...httpProtocols)({
    description: "base URL of an OpenAI-compatible API whose model also checks messages",
    defaultText: "rules only",
    example: "https://api.openai.com/v1",
  }),
  MODERATION_API_KEY: secret({ description: "API key of the moderation API", example: "sk-…" }),
  MODERATION_API: withDefault(
    choice("moderations", "chat")({ description: "endpoint of the API: moderations or chat" }),
    "moderations",
    "moderations",
  ),
  MODERATION_MODEL: text({
    description: "model of the moderation API",
    defaultText: "omni-moderation-latest",
    example: "omni-moderation-latest",
  }),
  MODERATION_FAIL_MODE: withDefault(
    choice(
      "open",
      "closed",
    )({ description: "while the model is unavailable: open lets messages pass, closed removes them" }),
    "open",
    "open",
  ),
} as const

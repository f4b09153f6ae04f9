/** Which engine makes captions, and who looks at what people write. */
import { choice, int, list, secret, text, url, withDefault, web } from "./Setting.ts"

export const captions = {
  SPEECH_ENGINE: choice(
    "openai",
    "whisper-cli",
    "pocketsphinx",
    "off",
  )({
    meaning: "openai, whisper-cli, pocketsphinx or off",
    unset: "pocketsphinx where it is installed, else off",
    example: "openai",
  }),
  SPEECH_BASE_URL: url(...web)({ meaning: "an OpenAI-compatible endpoint", example: "https://api.openai.com/v1" }),
  SPEECH_API_KEY: secret({ meaning: "its key", example: "sk-…" }),
  SPEECH_MODEL: text({ meaning: "its model", unset: "whisper-1", example: "whisper-1" }),
  SPEECH_DIALECT: withDefault(
    choice(
      "openai",
      "whisper.cpp",
      "speaches",
      "localai",
      "vllm",
    )({ meaning: "which server it is: openai, whisper.cpp, speaches, localai or vllm" }),
    "openai",
    "openai",
  ),
  SPEECH_FALLBACK: list({
    meaning: "engines that take over where the first fails, in this order: whisper-cli, pocketsphinx",
    unset: "none: a request is tried again later",
    example: "pocketsphinx",
  }),
  WHISPER_CLI_PATH: text({ meaning: "path of whisper.cpp's whisper-cli", example: "/usr/local/bin/whisper-cli" }),
  WHISPER_MODEL_PATH: text({ meaning: "path of its model", example: "/models/ggml-base.bin" }),
  MODERATION_RULES: withDefault(choice("on", "off")({ meaning: "the built-in rules" }), "on", "on"),
  MODERATION_WORDS: list({
    meaning: "words and phrases whose messages are removed, separated by commas; * stands for any ending",
    unset: "none",
    example: "word,some phrase,scam*",
  }),
  MODERATION_REVIEW_WORDS: list({
    meaning: "those whose messages a person should look at",
    unset: "none",
    example: "word",
  }),
  MODERATION_LINKS: withDefault(
    choice("allow", "review", "remove")({ meaning: "what becomes of messages with links" }),
    "allow",
    "allow",
  ),
  MODERATION_ALLOWED_SITES: list({
    meaning: "sites that may be linked to anyway, with their subdomains",
    unset: "none",
    example: "example.com",
  }),
  MODERATION_FLOOD: withDefault(
    int(2, 1000)({ meaning: "so many messages of one user in a room within 5 s are a flood" }),
    10,
    "10",
  ),
  MODERATION_FLOOD_ACTION: withDefault(
    choice("review", "remove")({ meaning: "what becomes of a flood, and of one text repeated" }),
    "review",
    "review",
  ),
  MODERATION_BASE_URL: url(...web)({
    meaning: "an OpenAI-compatible endpoint whose model looks at messages too",
    unset: "rules alone",
    example: "https://api.openai.com/v1",
  }),
  MODERATION_API_KEY: secret({ meaning: "its key", example: "sk-…" }),
  MODERATION_API: withDefault(
    choice("moderations", "chat")({ meaning: "which of its APIs is asked" }),
    "moderations",
    "moderations",
  ),
  MODERATION_MODEL: text({
    meaning: "its model",
    unset: "omni-moderation-latest",
    example: "omni-moderation-latest",
  }),
  MODERATION_WHEN_DOWN: withDefault(
    choice("open", "closed")({ meaning: "while the model is away: open lets messages pass, closed removes them" }),
    "open",
    "open",
  ),
} as const

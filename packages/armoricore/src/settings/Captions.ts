/** Which engine makes captions, and who looks at what people write. */
import { dialectNames } from "@armoricore/ai/engines/OpenAiCompatible"
import { engineNames, localEngineNames } from "@armoricore/ai/engines/SpeechEngineRegistry"
import { choice, int, list, secret, text, url, withDefault, httpProtocols } from "./Setting.ts"

export const captions = {
  SPEECH_ENGINE: choice(
    ...engineNames,
    "off",
  )({
    description: `${engineNames.join(", ")} or off`,
    defaultText: "pocketsphinx where it is installed, else off",
    example: "openai",
  }),
  SPEECH_BASE_URL: url(...httpProtocols)({
    description: "an OpenAI-compatible endpoint",
    example: "https://api.openai.com/v1",
  }),
  SPEECH_API_KEY: secret({ description: "its key", example: "sk-…" }),
  SPEECH_MODEL: text({ description: "its model", defaultText: "whisper-1", example: "whisper-1" }),
  SPEECH_DIALECT: withDefault(
    choice(...dialectNames)({ description: "which server it is: openai, whisper.cpp, speaches, localai or vllm" }),
    "openai",
    "openai",
  ),
  SPEECH_FALLBACK: list({
    description: `engines that take over where the first fails, in this order: ${localEngineNames.join(", ")}`,
    defaultText: "none: a request is tried again later",
    example: "pocketsphinx",
  }),
  WHISPER_CLI_PATH: text({ description: "path of whisper.cpp's whisper-cli", example: "/usr/local/bin/whisper-cli" }),
  WHISPER_MODEL_PATH: text({ description: "path of its model", example: "/models/ggml-base.bin" }),
  MODERATION_RULES: withDefault(choice("on", "off")({ description: "the built-in rules" }), "on", "on"),
  MODERATION_WORDS: list({
    description: "words and phrases whose messages are removed, separated by commas; * stands for any ending",
    defaultText: "none",
    example: "word,some phrase,scam*",
  }),
  MODERATION_REVIEW_WORDS: list({
    description: "those whose messages a person should look at",
    defaultText: "none",
    example: "word",
  }),
  MODERATION_LINKS: withDefault(
    choice("allow", "review", "remove")({ description: "what becomes of messages with links" }),
    "allow",
    "allow",
  ),
  MODERATION_ALLOWED_HOSTS: list({
    description: "sites that may be linked to anyway, with their subdomains",
    defaultText: "none",
    example: "example.com",
  }),
  MODERATION_FLOOD_LIMIT: withDefault(
    int(2, 1000)({ description: "so many messages of one user in a room within 5 s are a flood" }),
    10,
    "10",
  ),
  MODERATION_FLOOD_ACTION: withDefault(
    choice("review", "remove")({ description: "what becomes of a flood, and of one text repeated" }),
    "review",
    "review",
  ),
  MODERATION_BASE_URL: url(...httpProtocols)({
    description: "an OpenAI-compatible endpoint whose model looks at messages too",
    defaultText: "rules alone",
    example: "https://api.openai.com/v1",
  }),
  MODERATION_API_KEY: secret({ description: "its key", example: "sk-…" }),
  MODERATION_API: withDefault(
    choice("moderations", "chat")({ description: "which of its APIs is asked" }),
    "moderations",
    "moderations",
  ),
  MODERATION_MODEL: text({
    description: "its model",
    defaultText: "omni-moderation-latest",
    example: "omni-moderation-latest",
  }),
  MODERATION_FAIL_MODE: withDefault(
    choice("open", "closed")({ description: "while the model is away: open lets messages pass, closed removes them" }),
    "open",
    "open",
  ),
} as const

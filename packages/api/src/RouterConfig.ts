/** How the HTTP router of a program matches the paths of the API. */

/**
 * The router answers 404 where a part of the path is longer, after 100 characters by default. The longest parts are topics
 * `dm:{a}:{b}`: two user ids of 128 characters, each of which may be two UTF-16 code units or an escape such as `%25`.
 */
export const routerConfig = { maxParamLength: 1024 }

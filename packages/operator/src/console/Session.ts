/**
 * The operator's token, stored for this tab only. A link may bring it behind the `#`, which no server ever sees; it is
 * taken out of the address at once.
 */
const key = "armoricore.console.token"

export const readToken = (): string | undefined => {
  const given = /[#&]token=([^&]+)/.exec(location.hash)?.[1]
  if (given !== undefined) {
    sessionStorage.setItem(key, decodeURIComponent(given))
    history.replaceState(null, "", `${location.pathname}#overview`)
  }
  return sessionStorage.getItem(key) ?? undefined
}

export const storeToken = (token: string): void => sessionStorage.setItem(key, token)

export const clearToken = (): void => sessionStorage.removeItem(key)

/**
 * The operator's token, stored for this tab only. A link may carry the token in the URL fragment, which browsers do not
 * send to servers. `readToken` removes the token from the address bar at once.
 */
const key = "armoricore.console.token"

export const readToken = (): string | undefined => {
  const linkToken = /[#&]token=([^&]+)/.exec(location.hash)?.[1]
  if (linkToken !== undefined) {
    sessionStorage.setItem(key, decodeURIComponent(linkToken))
    history.replaceState(null, "", `${location.pathname}#overview`)
  }
  return sessionStorage.getItem(key) ?? undefined
}

export const storeToken = (token: string): void => sessionStorage.setItem(key, token)

export const clearToken = (): void => sessionStorage.removeItem(key)

/**
 * The operator's token, stored for this tab only. A link may carry the token in the URL fragment, which browsers do not
 * send to servers. `readToken` removes the token from the address bar at once.
 */
const key = "armoricore.console.token";
/** `#token=…`, or after a place: `#jobs?status=failed&token=…`. */
const pattern = /([#&?])token=([^&]+)&?/;
export const hasLinkToken = () => pattern.test(location.hash);
export const readToken = () => {
    const linkToken = pattern.exec(location.hash)?.[2];
    if (linkToken !== undefined) {
        sessionStorage.setItem(key, decodeURIComponent(linkToken));
        const place = location.hash.replace(pattern, "$1").replace(/[&?]$/, "");
        history.replaceState(null, "", `${location.pathname}${place === "#" ? "#overview" : place}`);
    }
    return sessionStorage.getItem(key) ?? undefined;
};
export const storeToken = (token) => sessionStorage.setItem(key, token);
export const clearToken = () => sessionStorage.removeItem(key);

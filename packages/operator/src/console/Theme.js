/** The theme (light, dark or system), stored in this browser. */
const key = "armoricore.console.theme";
const themes = ["auto", "light", "dark"];
let theme = themes.find((name) => name === localStorage.getItem(key)) ?? "auto";
export const current = () => theme;
export const apply = () => {
    if (theme === "auto")
        delete document.documentElement.dataset["theme"];
    else
        document.documentElement.dataset["theme"] = theme;
};
export const toggle = () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
    localStorage.setItem(key, theme);
    apply();
};

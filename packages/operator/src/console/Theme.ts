/** The theme (light, dark or system), stored in this browser. */
const key = "armoricore.console.theme"
const themes = ["auto", "light", "dark"] as const
export type Theme = (typeof themes)[number]

let theme: Theme = themes.find((name) => name === localStorage.getItem(key)) ?? "auto"

export const current = (): Theme => theme

export const apply = (): void => {
  if (theme === "auto") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
}

export const toggle = (): void => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto"
  localStorage.setItem(key, theme)
  apply()
}

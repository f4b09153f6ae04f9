export const fileName = "chapters.json";
export const render = (chapters) => `${JSON.stringify(chapters.map(({ end, start, title }, index) => ({
    chapter: index + 1,
    "start-time": round(start),
    duration: round(end - start),
    titles: [{ language: "und", title }],
})))}\n`;
const round = (seconds) => Math.round(seconds * 1000) / 1000;

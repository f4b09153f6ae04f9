import { hasSpaceBetween } from "./WordBoundaries.ts";
/** `00:00:00.000`. Milliseconds are rounded once, so all formats have the same times. */
const formatTimestamp = (seconds, decimalSeparator) => {
    const millis = Math.round(seconds * 1000);
    const twoDigits = (value) => String(Math.floor(value)).padStart(2, "0");
    return `${twoDigits(millis / 3_600_000)}:${twoDigits((millis / 60_000) % 60)}:${twoDigits((millis / 1000) % 60)}${decimalSeparator}${String(millis % 1000).padStart(3, "0")}`;
};
const escapeWebVtt = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
export const webVtt = {
    contentType: "text/vtt; charset=utf-8",
    /** Without cues: a valid file without captions. */
    render: (cues) => `WEBVTT\n${cues
        .map(({ end, lines, speaker, start }) => {
        const voice = speaker === undefined ? "" : `<v ${escapeWebVtt(speaker.replace(/\s+/g, " "))}>`;
        return `\n${formatTimestamp(start, ".")} --> ${formatTimestamp(end, ".")}\n${voice}${lines.map(escapeWebVtt).join("\n")}\n`;
    })
        .join("")}`,
};
/** SubRip (SRT): cues are numbered from 1, lines end with CR LF, times have a comma. */
export const subRip = {
    contentType: "application/x-subrip; charset=utf-8",
    render: (cues) => cues
        .map(({ end, lines, start }, index) => [
        String(index + 1),
        `${formatTimestamp(start, ",")} --> ${formatTimestamp(end, ",")}`,
        // SubRip has no escape for an arrow, and an arrow in the text would end the cue.
        ...lines.map((line) => line.replaceAll("-->", "→")),
        "",
        "",
    ].join("\r\n"))
        .join(""),
};
/** Seconds of silence that end a paragraph. */
const paragraphPauseSeconds = 2;
const speakerPrefix = ({ speaker }) => (speaker === undefined ? "" : `${speaker}: `);
/** The words as paragraphs, which end at a long pause or when the speaker changes. */
export const plainText = {
    contentType: "text/plain; charset=utf-8",
    render: (words) => {
        let text = "";
        let previous;
        for (const word of words) {
            if (previous === undefined)
                text += speakerPrefix(word);
            else if (word.speaker !== previous.speaker)
                text += `\n\n${speakerPrefix(word)}`;
            else if (word.start - previous.end > paragraphPauseSeconds)
                text += "\n\n";
            else if (hasSpaceBetween(previous.text, word.text, word.space_before))
                text += " ";
            text += word.text;
            previous = word;
        }
        return text === "" ? "" : `${text}\n`;
    },
};

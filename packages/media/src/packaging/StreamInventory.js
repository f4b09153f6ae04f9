/** The stored renditions and audio tracks of a plan, as playlists and manifests describe them. */
import { audioFolder } from "../encode/EncodingPlan.ts";
export const fromUploaded = (plan, uploadedTracks) => {
    const tracks = uploadedTracks.filter(({ segments }) => segments.length > 0);
    const renditions = plan.renditions.flatMap(({ name, width, height }) => {
        const stored = tracks.find(({ folder }) => folder === name);
        if (stored === undefined)
            return [];
        const { codec, timescale } = stored.track;
        return [{ name, width, height, frameRate: plan.frameRate, codec, timescale, segments: stored.segments }];
    });
    const titles = audioTitles(plan);
    const audioTracks = plan.info.audioTracks.flatMap(({ channels: sourceChannels, language, purpose }, track) => {
        const name = audioFolder(track);
        const stored = tracks.find(({ folder }) => folder === name);
        if (stored === undefined)
            return [];
        const { codec, timescale } = stored.track;
        const channels = plan.isCopiedAudio(track) ? sourceChannels : 2;
        return [
            {
                name,
                codec,
                timescale,
                channels,
                segments: stored.segments,
                language,
                purpose,
                title: titles[track] ?? name,
            },
        ];
    });
    return { tracks, renditions, audioTracks };
};
/** The names for the menu of a player: the title from the file, else the language. Each is unique. */
const audioTitles = (plan) => {
    const { audioTracks } = plan.info;
    if (audioTracks.length < 2)
        return ["audio"];
    const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
    const candidates = audioTracks.map(({ language, purpose, title }, track) => {
        // Muxers write meaningless default titles.
        const ownTitle = title === undefined || /^(sound|audio|stereo|core media).*|handler$/i.test(title) ? undefined : title;
        const name = (language === undefined ? undefined : names.of(language)) ?? `Track ${track + 1}`;
        return (ownTitle ?? (purpose === undefined ? name : `${name} (${purposeNames[purpose]})`)).slice(0, 80);
    });
    return candidates.map((title, track) => (candidates.indexOf(title) === track ? title : `${title} ${track + 1}`));
};
const purposeNames = { description: "audio description", commentary: "commentary" };

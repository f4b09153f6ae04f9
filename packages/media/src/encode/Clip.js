const isSeekable = ({ format }) => /^(mov,|matroska)/.test(format);
/** Options before `-i`. */
export const clipInputArgs = (info, { end, start }) => isSeekable(info) ? ["-ss", start.toFixed(6), "-t", info.duration.toFixed(6)] : ["-t", (end + 5).toFixed(6)];
/** The first filters of a track: none for a seekable file. */
export const clipFilters = ({ info, request }, kind) => {
    const clip = request?.clip;
    if (clip === undefined || isSeekable(info))
        return [];
    const [from, to] = [clip.start.toFixed(6), (clip.start + info.duration).toFixed(6)];
    return [`${kind}trim=start=${from}:end=${to}`, `${kind}setpts=PTS-${from}/TB`];
};

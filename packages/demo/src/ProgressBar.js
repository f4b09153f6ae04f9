/** A progress bar on a terminal. Output that is not a terminal gets one line per stage instead. */
const barWidth = 32;
export const make = (out) => {
    let lastStage = "";
    const bar = (percent) => {
        const filled = Math.round((barWidth * percent) / 100);
        return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}`;
    };
    return {
        show: (stage, percent) => {
            if (out.isTTY)
                out.write(`\r\u001b[2K  ${bar(percent)} ${String(Math.round(percent)).padStart(3)} %  ${stage}`);
            else if (stage !== lastStage)
                out.write(`  ${String(Math.round(percent)).padStart(3)} %  ${stage}\n`);
            lastStage = stage;
        },
        end: () => {
            if (out.isTTY && lastStage !== "")
                out.write("\n");
        },
    };
};

import { TransientError } from "@armoricore/domain/Errors";
import { failure } from "../pipeline/Failures.ts";
const mediaErrorPattern = /Invalid data found|Error while decoding|Error submitting packet to decoder|received no packets|Output file is empty|Nothing was written|Cannot determine format|Invalid argument|Function not implemented|Not yet implemented|Rematrix is needed|Impossible to convert|Could not find codec parameters|Picture size .* is invalid|Error reinitializing filters|Error (initializing|configuring) (filters|complex filters|filter)|Failed to (inject frame|configure)|matches no streams|Invalid pts|Error sending frames|could not seek|Conversion failed/i;
const decoderPattern = /Decoder .* not found|Decoding requested, but no decoder/i;
const hostErrorPattern = /No space left|Permission denied|Read-only file system|Input\/output error|Disk quota/i;
const memoryErrorPattern = /Cannot allocate memory|out of memory|malloc of size/i;
export const classify = ({ code, stderr }, { hasPassthrough = false, hasMemoryLimit }) => {
    const lastLines = stderr.trim().split("\n").slice(-3).join(" | ");
    if (!hasPassthrough && !hostErrorPattern.test(stderr)) {
        if (memoryErrorPattern.test(stderr)) {
            if (hasMemoryLimit)
                return failure("memory_limit_exceeded");
        }
        else if (decoderPattern.test(stderr)) {
            return failure("unsupported_codec");
        }
        else if (code === 69 || mediaErrorPattern.test(stderr)) {
            // 69: ffmpeg failed to decode more than two thirds of the frames.
            return failure("corrupt_media");
        }
    }
    return new TransientError({
        dependency: "ffmpeg",
        code: "failed",
        message: `ffmpeg exited with code ${code}: ${lastLines}`,
    });
};

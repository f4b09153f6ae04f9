/**
 * Imported by test files whose subject is not the version of ffmpeg: `npm test` puts that of npm first on PATH, whose start
 * costs a fifth of the system's. The file has a process of its own.
 */
const programs = process.env["ARMORICORE_TEST_PROGRAMS"]
if (programs !== undefined) process.env["PATH"] = `${programs}:${process.env["PATH"]}`

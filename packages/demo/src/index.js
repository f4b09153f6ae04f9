/** The demo: a web page, the HTTP routes behind it, and the clients that the `armoricore demo` command uses. */
export * as Backend from "./Backend.ts";
export { DemoFailed } from "./DemoFailed.ts";
export * as DemoRoutes from "./DemoRoutes.ts";
export * as MediaWatcher from "./MediaWatcher.ts";
export * as ProgressBar from "./ProgressBar.ts";
export * as SampleClip from "./SampleClip.ts";
export * as StreamVerifier from "./StreamVerifier.ts";
export * as UploadClient from "./UploadClient.ts";

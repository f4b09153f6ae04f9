/** The part of s3rver that `S3Server` uses; the package has no types of its own. */
declare module "s3rver" {
  import type { RequestListener } from "node:http"

  export default class S3rver {
    constructor(options: {
      readonly directory: string
      readonly silent: boolean
      readonly vhostBuckets: boolean
      readonly configureBuckets: ReadonlyArray<{ readonly name: string; readonly configs?: ReadonlyArray<string> }>
    })
    configureBuckets(): Promise<void>
    callback(): RequestListener
  }
}

/**
 * Uploads a file by tus, and notifies the backend. An upload that a reload interrupted continues when its file is chosen again:
 * the browser stores the URL of the upload, the server how many bytes it has.
 */
/* global tus */

const endpoint = "/v1/uploads/tus"
const keyOf = (userId) => `armoricore-demo-${userId}`

const askFor = async (path, token, body) => {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.detail ?? `${path} answered ${response.status}`)
  return answer
}

/** The server says what is wrong in the body of its response. */
const sentenceOf = (error) => {
  const body = error.originalResponse?.getBody() ?? ""
  try {
    return JSON.parse(body).detail ?? error.message
  } catch {
    return body === "" ? "the upload was cut off; choose the file again to continue it" : error.message
  }
}

/**
 * Uploads a file, or continues its upload. Awaits `onGrant` with the media id before it sends the first byte, so that the page
 * can join the topic of the media and misses no event.
 */
export const upload = async (file, session, { onGrant, onProgress }) => {
  let grant
  const onAfterResponse = async (request, response) => {
    const mediaId = response.getHeader("armoricore-media-id")
    if (!mediaId || grant) return
    grant = {
      media_id: mediaId,
      file_path: response.getHeader("armoricore-file-path"),
      upload_token: response.getHeader("armoricore-upload-token"),
    }
    await onGrant(grant, Number(response.getHeader("upload-offset") ?? 0))
  }
  const previous = await new Promise((resolve, reject) => {
    const running = new tus.Upload(file, {
      endpoint,
      metadata: { filename: file.name, filetype: file.type },
      retryDelays: [0, 1000, 3000, 5000, 10_000],
      fingerprint: async () => `${keyOf(session.userId)}-${file.name}-${file.size}-${file.lastModified}`,
      // Long uploads outlive a token.
      onBeforeRequest: (request) => request.setHeader("authorization", `Bearer ${session.token()}`),
      onAfterResponse,
      onProgress: (sent, total) => onProgress((100 * sent) / Math.max(1, total)),
      onError: (error) => reject(new Error(sentenceOf(error))),
      onSuccess: () => resolve(running.findPreviousUploads()),
    })
    running.findPreviousUploads().then(([found]) => {
      if (found) running.resumeFromPreviousUpload(found)
      running.start()
    }, reject)
  })
  onProgress(100)
  const published = await askFor("/demo/uploaded", session.token(), grant)
  // Only now: an upload whose event was not published yet continues here after a reload.
  for (const { urlStorageKey } of previous) await tus.defaultOptions.urlStorage.removeUpload(urlStorageKey)
  return published
}

/** An upload that this visitor has not finished, with its file name and percent; undefined if every upload is finished. */
export const findUnfinished = async (session) => {
  const stored = await tus.defaultOptions.urlStorage.findAllUploads()
  for (const { metadata, size, uploadUrl, urlStorageKey } of stored) {
    if (!urlStorageKey.includes(`::${keyOf(session.userId)}-`)) continue
    const response = await fetch(uploadUrl, {
      method: "HEAD",
      headers: { "tus-resumable": "1.0.0", authorization: `Bearer ${session.token()}` },
    })
    if (response.ok) return { name: metadata.filename, percent: (100 * response.headers.get("upload-offset")) / size }
    if (response.status < 500) await tus.defaultOptions.urlStorage.removeUpload(urlStorageKey)
  }
}

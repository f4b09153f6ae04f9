/** Uploads a file: requests a presigned URL, PUTs the bytes there, notifies the backend. */

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

/** XMLHttpRequest, because `fetch` does not report upload progress. */
const put = (grant, file, onProgress) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open(grant.method, grant.upload_url)
    for (const [name, value] of Object.entries(grant.headers)) request.setRequestHeader(name, value)
    request.upload.addEventListener("progress", (event) => onProgress((100 * event.loaded) / Math.max(1, event.total)))
    request.addEventListener("load", () =>
      request.status < 300 ? resolve() : reject(new Error(`the storage answered ${request.status}`)),
    )
    request.addEventListener("error", () => reject(new Error("the upload was cut off; try again")))
    request.send(file)
  })

/**
 * Uploads a file. Awaits `onGrant` with the media id before it sends the first byte, so that the page can join the topic
 * of the media and misses no event.
 */
export const upload = async (file, token, { onGrant, onProgress }) => {
  const grant = await askFor("/v1/uploads", token, {
    filename: file.name,
    content_type: file.type === "" ? "application/octet-stream" : file.type,
    size: file.size,
  })
  await onGrant(grant)
  await put(grant, file, onProgress)
  onProgress(100)
  return askFor("/demo/uploaded", token, {
    media_id: grant.media_id,
    file_path: grant.file_path,
    upload_token: grant.upload_token,
  })
}

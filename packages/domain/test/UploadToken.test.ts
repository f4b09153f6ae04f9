import * as UploadToken from "@armoricore/domain/UploadToken"
import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"

const key = UploadToken.deriveKey(Redacted.make("secret-1"))
const upload = { media_id: "m1", user_id: "7", file_path: "s3://media/uploads/7/m1/film.mp4" }
const token = UploadToken.issue(key, upload)

describe("an upload token", () => {
  it("has a stable form, so that a program of another version accepts it", () => {
    assert.strictEqual(token, "v1.8d0de54decc82dc00aef337382a51fee4bdc8aba3163e2a9b64a90b15726bf4a")
  })

  it("is valid for its own media, user and file only", () => {
    assert.isTrue(UploadToken.isValid(key, upload, token))
    const others = [
      { ...upload, media_id: "m2" },
      { ...upload, user_id: "8" },
      { ...upload, file_path: "s3://media/uploads/8/m1/film.mp4" },
      // The same characters, divided in another way.
      { ...upload, media_id: "m", user_id: "17" },
      { ...upload, media_id: "m17", user_id: "" },
    ]
    for (const other of others) assert.isFalse(UploadToken.isValid(key, other, token), JSON.stringify(other))
  })

  it("comes with a media id that shows its owner", () => {
    const id = UploadToken.newMediaId(key, "7")
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.notStrictEqual(UploadToken.newMediaId(key, "7"), id)
    assert.isTrue(UploadToken.isMediaIdOf(key, "7", id))
    const otherKey = UploadToken.deriveKey(Redacted.make("secret-2"))
    assert.isFalse(UploadToken.isMediaIdOf(key, "8", id))
    assert.isFalse(UploadToken.isMediaIdOf(otherKey, "7", id))
    for (const other of ["", "m1", crypto.randomUUID(), `${id}0`])
      assert.isFalse(UploadToken.isMediaIdOf(key, "7", other))
  })

  it("is valid with its own key only, and not when it is changed", () => {
    const otherKey = UploadToken.deriveKey(Redacted.make("secret-2"))
    assert.isFalse(UploadToken.isValid(otherKey, upload, token))
    for (const changed of [
      "",
      "v1.",
      token.slice(3),
      token.toUpperCase(),
      token.slice(0, -1),
      `${token}0`,
      `${token.slice(0, -1)}é`,
    ])
      assert.isFalse(UploadToken.isValid(key, upload, changed), changed)
  })
})

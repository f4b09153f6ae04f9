/**
 * The documents of notifications that this process wrote last: a fresh revision saves a read, a stale one costs a
 * conflict. Bounded by number and by size, as a few thousand newsletters would fill the memory.
 */
import type { Content, NotificationState } from "@armoricore/domain/NotificationState"
import type * as Collection from "@armoricore/state/Collection"

export type Document = Collection.Document<NotificationState>

export interface Recent {
  readonly get: (id: string) => Document | undefined
  readonly keep: (document: Document) => void
  readonly drop: (id: string) => void
}

export interface Options {
  readonly most: number
  /** Characters, about. */
  readonly mostText: number
}

/** What a target takes, with what became of it. */
const targetSize = 500

export const make = ({ most, mostText }: Options): Recent => {
  // The oldest first.
  const documents = new Map<string, Document>()
  let text = 0

  const drop = (id: string) => {
    const known = documents.get(id)
    if (known !== undefined && documents.delete(id)) text -= sizeOf(known.value)
  }

  return {
    get: (id) => documents.get(id),
    drop,
    keep: (document) => {
      drop(document.key)
      documents.set(document.key, document)
      text += sizeOf(document.value)
      for (const oldest of documents.keys()) {
        if (documents.size <= most && text <= mostText) return
        drop(oldest)
      }
    },
  }
}

/** Contents never change: each is measured once. */
const measured = new WeakMap<Content, number>()

const contentSize = (content: Content): number => {
  const known = measured.get(content)
  if (known !== undefined) return known
  const { attachments = [], data, html = "", text, title } = content
  const size = title.length + text.length + html.length + JSON.stringify([data, attachments]).length
  measured.set(content, size)
  return size
}

const sizeOf = ({ content, deliveries }: NotificationState): number =>
  contentSize(content) + targetSize * deliveries.length

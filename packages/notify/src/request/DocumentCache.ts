/**
 * The documents of notifications that this process wrote last: a fresh revision saves a read, a stale one costs a
 * conflict. Bounded by number and by size, as a few thousand newsletters would fill the memory.
 */
import type { NotificationContent, NotificationState } from "@armoricore/domain/NotificationState"
import type * as Collection from "@armoricore/state/Collection"

export type Document = Collection.Document<NotificationState>

export interface DocumentCache {
  readonly get: (id: string) => Document | undefined
  readonly put: (document: Document) => void
  readonly remove: (id: string) => void
}

export interface Options {
  readonly maxEntries: number
  /** Characters, about. */
  readonly maxCharacters: number
}

/** What a target takes, with what became of it. */
const charactersPerTarget = 500

export const make = ({ maxEntries, maxCharacters }: Options): DocumentCache => {
  // The oldest first.
  const documents = new Map<string, Document>()
  let characters = 0

  const remove = (id: string) => {
    const known = documents.get(id)
    if (known !== undefined && documents.delete(id)) characters -= sizeOf(known.value)
  }

  return {
    get: (id) => documents.get(id),
    remove,
    put: (document) => {
      remove(document.key)
      documents.set(document.key, document)
      characters += sizeOf(document.value)
      for (const oldest of documents.keys()) {
        if (documents.size <= maxEntries && characters <= maxCharacters) return
        remove(oldest)
      }
    },
  }
}

/** Contents never change: each is measured once. */
const contentSizes = new WeakMap<NotificationContent, number>()

const contentSize = (content: NotificationContent): number => {
  const known = contentSizes.get(content)
  if (known !== undefined) return known
  const { attachments = [], data, html = "", text, title } = content
  const size = title.length + text.length + html.length + JSON.stringify([data, attachments]).length
  contentSizes.set(content, size)
  return size
}

const sizeOf = ({ content, deliveries }: NotificationState): number =>
  contentSize(content) + charactersPerTarget * deliveries.length

/**
 * A cache of the notification documents that this process wrote last. A hit saves a read; a stale revision costs a
 * write conflict. The cache is limited by number and by size, because a few thousand newsletters would fill the memory.
 */
import type { NotificationContent, NotificationState } from "@armoricore/domain/NotificationState"
import type * as Collection from "@armoricore/state/Collection"
import * as JsonSize from "./JsonSize.ts"

export type Document = Collection.Document<NotificationState>

export interface DocumentCache {
  readonly get: (id: string) => Document | undefined
  readonly put: (document: Document) => void
  readonly remove: (id: string) => void
}

export interface Options {
  readonly maxEntries: number
  /** An estimate in characters, summed over all entries. */
  readonly maxCharacters: number
}

/** The estimated size of one target with its summary. */
const charactersPerTarget = 500

export const make = ({ maxEntries, maxCharacters }: Options): DocumentCache => {
  // In order of insertion: the oldest entry comes first.
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

/** Contents are immutable, so each is measured once. */
const contentSizes = new WeakMap<NotificationContent, number>()

const contentSize = (content: NotificationContent): number => {
  const known = contentSizes.get(content)
  if (known !== undefined) return known
  const { attachments = [], data, html = "", text, title } = content
  const size = title.length + text.length + html.length + JsonSize.maxBytes(data) + JsonSize.maxBytes(attachments)
  contentSizes.set(content, size)
  return size
}

const sizeOf = ({ content, deliveries }: NotificationState): number =>
  contentSize(content) + charactersPerTarget * deliveries.length

/** How a delivery's id travels through SES: as a message tag, whose values know no dots. */
export const tagName = "armoricore_delivery"

/** Ids of e-mail deliveries have no underscore of their own. */
export const tagOf = (deliveryId: string): string => deliveryId.replaceAll(".", "_")

export const deliveryIdOfTag = (tag: string): string => tag.replaceAll("_", ".")

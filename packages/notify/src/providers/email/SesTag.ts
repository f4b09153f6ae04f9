/** The delivery id as an SES message tag. Tag values may not contain dots. */
export const tagName = "armoricore_delivery"

/** The ids of e-mail deliveries contain no underscores. */
export const tagOf = (deliveryId: string): string => deliveryId.replaceAll(".", "_")

export const deliveryIdOfTag = (tag: string): string => tag.replaceAll("_", ".")

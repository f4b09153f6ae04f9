/** The delivery id as an SES message tag. Tag values may not contain dots. */
export const tagName = "armoricore_delivery";
/** The ids of e-mail deliveries contain no underscores. */
export const tagOf = (deliveryId) => deliveryId.replaceAll(".", "_");
export const deliveryIdOfTag = (tag) => tag.replaceAll("_", ".");

export const httpProtocols = ["http:", "https:"];

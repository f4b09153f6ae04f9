/** `prepack` of every package: its folder holds TypeScript, which Node does not run below node_modules. */
console.error("Packages are packed from a copy with built JavaScript: run `npm run build && npm run pack` at the top.");
process.exit(1);
export {};

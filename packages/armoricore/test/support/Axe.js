/** Accessibility checks of a page by axe-core. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
/** Serious and critical findings. */
export const faultsOf = async (page) => {
    await page.evaluate(axe);
    const found = await page.evaluate("axe.run().then(({ violations }) => violations)");
    return found
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
};

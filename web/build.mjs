// Bundles each page into one HTML file without outside parts. An argument is the folder to write to instead of the repository's.
import { build } from "esbuild";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url));
const root = process.argv[2] ?? dirname(web);
const pages = [{ folder: "docs", to: "internal/api/docs.html" }];

for (const page of pages) {
  const dir = join(web, page.folder);
  const script = await build({
    entryPoints: [join(dir, "main.ts")], bundle: true, write: false, format: "iife", target: "es2022", minify: true, charset: "ascii", legalComments: "none",
  });
  const style = await build({ entryPoints: [join(dir, "style.css")], write: false, minify: true, legalComments: "none" });
  const html = readFileSync(join(dir, "index.html"), "utf8")
    .replace("/*style*/", () => style.outputFiles[0].text.trim())
    .replace("/*script*/", () => script.outputFiles[0].text.trim().replaceAll("</script", "<\\/script"));
  const to = join(root, page.to);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, html);
  console.log(`${page.to}: ${html.length} bytes`);
}

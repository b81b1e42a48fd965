// The page at /docs: GET /openapi.json, shown for people, with a form to try each route.
import { h } from "./dom";
import { operationCard } from "./operation";
import type { Document, Operation } from "./openapi";

// The order of groups; others follow in the document's.
const groups = ["endpoints", "views", "tables", "sql", "events", "streams"];
const titles: Record<string, string> = {
  endpoints: "Endpoints", views: "Materialized views", tables: "Tables", sql: "SQL", events: "Events", streams: "Streams, tables and views", tinybird: "Tinybird's API",
  "dead-letters": "Dead letters", tokens: "Tokens",
};

interface Entry { path: string; method: string; op: Operation }

const app = document.getElementById("app")!;
const main = h("main");
const title = h("h1", {}, "Leat API");
// The token stays in this page's memory: it is gone with the tab.
const token = h("input", { type: "password", placeholder: "token, if the server has some", autocomplete: "off", "aria-label": "Token", change: () => void load() });
const filter = h("input", { type: "search", placeholder: "filter", "aria-label": "Filter", input: applyFilter });
app.append(h("header", {}, h("div", {}, title, filter, token)), main);
void load();

async function load(): Promise<void> {
  const headers = token.value ? { Authorization: `Bearer ${token.value}` } : undefined;
  try {
    const response = await fetch("./openapi.json", { headers, credentials: "omit", cache: "no-store" });
    const body: unknown = await response.json();
    if (!response.ok) {
      const problem = body as { detail?: string; hint?: string };
      const missing = response.status === 401 && !token.value;
      main.replaceChildren(h("p", { class: missing ? "soft" : "bad" }, missing ? "This server has tokens: enter one above to see what it may read." : `${problem.detail ?? response.statusText}. ${problem.hint ?? ""}`));
      return;
    }
    show(body as Document);
  } catch (e) {
    main.replaceChildren(h("p", { class: "bad" }, `The document can't be read: ${e instanceof Error ? e.message : String(e)}`));
  }
}

// specific tells the operations of an object that exists from the general ones, which are about any object.
function specific(path: string): boolean {
  return /^\/v1\/(endpoints|views|tables)\/[^{]/.test(path);
}

function show(doc: Document): void {
  title.replaceChildren("Leat API ", h("small", {}, doc.info.version));
  const byGroup = new Map<string, Entry[]>();
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const [method, op] of Object.entries(item)) {
      const group = op.tags?.[0] ?? "other";
      byGroup.set(group, [...(byGroup.get(group) ?? []), { path, method, op }]);
    }
  }
  const order = [...groups.filter((g) => byGroup.has(g)), ...[...byGroup.keys()].filter((g) => !groups.includes(g)).sort()];
  main.replaceChildren(h("p", { class: "soft" }, "Made from ", h("a", { href: "./openapi.json" }, "openapi.json"), ", which generators of clients read. Errors are application/problem+json with a code and a hint."));
  for (const g of order) main.append(section(doc, g, byGroup.get(g) ?? []));
  applyFilter();
  const open = location.hash && document.getElementById(location.hash.slice(1));
  if (open instanceof HTMLDetailsElement) {
    open.open = true;
    open.scrollIntoView();
  }
}

function section(doc: Document, group: string, entries: Entry[]): HTMLElement {
  const card = (e: Entry): HTMLElement => operationCard(doc, e.path, e.method, e.op, () => token.value);
  const own = entries.filter((e) => specific(e.path));
  const general = entries.filter((e) => !specific(e.path));
  const name = titles[group] ?? group.charAt(0).toUpperCase() + group.slice(1);
  return h("section", {}, h("h2", {}, name),
    group === "endpoints" && own.length === 0 && h("p", { class: "soft" }, "No endpoint is published yet, or your token may read none: CREATE ENDPOINT makes one."),
    ...own.map(card), own.length > 0 && general.length > 0 && h("h3", {}, "For any of them"), ...general.map(card));
}

// applyFilter hides what doesn't have the words in its path or summary.
function applyFilter(): void {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const part of main.querySelectorAll("section")) {
    let any = words.length === 0;
    for (const card of part.querySelectorAll<HTMLElement>("details.op")) {
      const text = card.querySelector("summary")?.textContent?.toLowerCase() ?? "";
      card.hidden = !words.every((w) => text.includes(w));
      any ||= !card.hidden;
    }
    part.hidden = !any;
  }
}

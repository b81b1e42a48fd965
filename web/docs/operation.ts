import { h } from "./dom";
import { columnsOf, resolve, typeOf, type Document, type Operation, type Parameter } from "./openapi";

// Answers longer than this are shown cut: a browser is no place for megabytes of JSON.
const maxShown = 100_000;
const maxRows = 100;

// Headers of an answer that are shown.
const shownHeaders = ["Leat-Position", "Leat-Watermark", "Leat-Lag-Ms", "Leat-Cache", "Leat-Stale", "Leat-Cursor", "ETag", "Retry-After", "X-RateLimit-Remaining"];

interface Field {
  parameter: Parameter;
  input: HTMLInputElement | HTMLSelectElement;
}

// operationCard shows one operation, folded; its form is made when it is first opened.
export function operationCard(doc: Document, path: string, method: string, op: Operation, token: () => string): HTMLDetailsElement {
  const body = h("div");
  const card = h("details", { class: "op", id: op.operationId },
    h("summary", {}, h("span", { class: "method" }, method.toUpperCase()), h("code", { class: "path" }, path), h("span", { class: "what" }, op.summary)), body);
  card.addEventListener("toggle", () => {
    if (card.open && !body.hasChildNodes()) fill(doc, path, method, op, token, body);
  });
  return card;
}

function fill(doc: Document, path: string, method: string, op: Operation, token: () => string, into: HTMLElement): void {
  const fields = (op.parameters ?? []).map((parameter) => ({ parameter, input: inputOf(doc, parameter) }));
  const own = fields.filter((f) => !system(f.parameter));
  const rest = fields.filter((f) => system(f.parameter));
  const text = op.requestBody ? h("textarea", { spellcheck: "false", "aria-label": "Body" }, exampleBody(doc, op)) : null;
  const mediaType = Object.keys(op.requestBody?.content ?? {})[0] ?? "";
  const answer = h("div", { "aria-live": "polite" });
  const send = h("button", { type: "submit" }, "Send");
  const curl = h("pre");
  const request = (): Request => requestOf(path, method, fields, text?.value, mediaType, token());
  const showCurl = (): void => {
    curl.textContent = curlOf(path, method, fields, text?.value, mediaType, token() !== "");
  };
  const form = h("form", { input: showCurl, submit: (e) => {
    e.preventDefault();
    send.disabled = true;
    void run(request(), answer, token).finally(() => { send.disabled = false; });
  } },
    ...own.map(fieldOf),
    text && h("h3", {}, `Body (${mediaType})`), text,
    rest.length > 0 && h("details", {}, h("summary", { class: "soft" }, "Options of every call"), ...rest.map(fieldOf)),
    h("div", { class: "row" }, send, h("span", { class: "soft" }, needs(op))));
  const columns = columnsOf(doc, op);
  into.append(form, answer,
    columns.length > 0 ? h("details", {}, h("summary", { class: "soft" }, `Columns of the answer (${columns.length})`),
      h("div", { class: "scroll" }, h("table", {}, ...columns.map((c) => h("tr", {}, h("td", {}, h("code", {}, c.name)), h("td", { class: "soft" }, c.type)))))) : "",
    h("details", {}, h("summary", { class: "soft" }, "curl"), curl));
  showCurl();
}

// system tells parameters of every call from an operation's own.
function system(p: Parameter): boolean {
  return p.in === "header" || p.in === "query" && (p.name === "format" || p.name.startsWith("_"));
}

// needs says which scope the operation takes.
function needs(op: Operation): string {
  const scopes = op.security?.[0]?.token;
  return scopes && scopes.length > 0 ? `needs ${scopes.join(", ")} where the server has tokens` : "";
}

function inputOf(doc: Document, p: Parameter): HTMLInputElement | HTMLSelectElement {
  const schema = resolve(doc, p.schema ?? p.content?.["application/json"]?.schema);
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const choices = schema.enum ?? (types.includes("boolean") ? ["true", "false"] : null);
  if (choices) return h("select", {}, h("option", { value: "" }, ""), ...choices.map((v) => h("option", { value: v }, v)));
  const fallback = schema.default ?? schema.examples?.[0];
  const placeholder = fallback === undefined || fallback === null ? "" : typeof fallback === "string" ? fallback : JSON.stringify(fallback);
  const numeric = types.includes("integer") || types.includes("number");
  return h("input", { type: "text", class: "mono", autocomplete: "off", spellcheck: "false", placeholder, inputmode: numeric ? "decimal" : "text", required: p.required === true });
}

function fieldOf(f: Field): HTMLElement {
  const p = f.parameter;
  const about = [p.schema?.title, p.description !== p.schema?.title ? p.description : ""].filter(Boolean).join(" \u00b7 ");
  return h("label", { class: "field" }, h("code", { class: p.required ? "name must" : "name" }, p.name), f.input, about && h("span", { class: "about" }, about));
}

// exampleBody is a JSON object with the properties of the body, or nothing.
function exampleBody(doc: Document, op: Operation): string {
  const schema = resolve(doc, op.requestBody?.content["application/json"]?.schema);
  if (!schema.properties || Object.keys(op.requestBody?.content ?? {})[0] !== "application/json") return "";
  const example: Record<string, unknown> = {};
  for (const [name, raw] of Object.entries(schema.properties)) {
    const s = resolve(doc, raw);
    if (s.default !== undefined) example[name] = s.default;
    else if (schema.required?.includes(name)) example[name] = /INT|DOUBLE|FLOAT|number|integer/.test(typeOf(s)) ? 0 : "";
  }
  return JSON.stringify(example, null, 2);
}

// target is the path and query of a call.
function target(path: string, fields: Field[]): string {
  const query = new URLSearchParams();
  for (const { parameter: p, input } of fields) {
    if (p.in === "path") path = path.replace(`{${p.name}}`, encodeURIComponent(input.value));
    else if (p.in === "query" && (input.value !== "" || p.required)) query.set(p.name, input.value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function requestOf(path: string, method: string, fields: Field[], body: string | undefined, mediaType: string, token: string): Request {
  const headers = new Headers();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  for (const { parameter: p, input } of fields) if (p.in === "header" && input.value) headers.set(p.name, input.value);
  if (body) headers.set("Content-Type", mediaType);
  return new Request("." + target(path, fields), { method: method.toUpperCase(), headers, body: body || undefined, credentials: "omit", cache: "no-store" });
}

// curlOf is the same call in a shell, without the token's text.
function curlOf(path: string, method: string, fields: Field[], body: string | undefined, mediaType: string, token: boolean): string {
  const quote = (s: string): string => `'${s.replaceAll("'", `'\\''`)}'`;
  const parts = ["curl"];
  if (method !== "get" && !(method === "post" && body)) parts.push("-X", method.toUpperCase());
  if (token) parts.push("-H", `"Authorization: Bearer $LEAT_TOKEN"`);
  for (const { parameter: p, input } of fields) if (p.in === "header" && input.value) parts.push("-H", quote(`${p.name}: ${input.value}`));
  if (body) parts.push("-H", quote(`Content-Type: ${mediaType}`), "--data-binary", quote(body));
  parts.push(quote(new URL("." + target(path, fields), location.href).href));
  return parts.join(" ");
}

async function run(request: Request, into: HTMLElement, token: () => string): Promise<void> {
  const started = performance.now();
  try {
    const response = await fetch(request);
    const type = response.headers.get("Content-Type") ?? "";
    if (type.startsWith("text/event-stream") && response.body) return await follow(response.body, into);
    const text = /json|text|csv|ndjson/.test(type) ? await response.text() : `${(await response.arrayBuffer()).byteLength} bytes of ${type}`;
    const took = performance.now() - started;
    const headers = shownHeaders.map((name) => [name, response.headers.get(name)] as const).filter(([, v]) => v !== null);
    const next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
    into.replaceChildren(
      h("p", {}, h("strong", { class: response.ok ? "good" : "bad" }, `${response.status} ${response.statusText}`), h("span", { class: "soft" }, ` in ${took.toFixed(0)} ms`)),
      ...shown(text, type),
      h("div", { class: "scroll" }, h("table", {}, ...headers.map(([name, v]) => h("tr", {}, h("td", { class: "soft" }, name), h("td", {}, h("code", {}, v ?? "")))))),
      next ? h("div", { class: "row" }, h("button", { type: "button", class: "plain", click: () => {
        const headers = token() ? { Authorization: `Bearer ${token()}` } : undefined;
        void run(new Request(new URL(next, location.href), { headers, credentials: "omit", cache: "no-store" }), into, token);
      } }, "Next page")) : "");
  } catch (e) {
    into.replaceChildren(h("p", { class: "bad" }, `The request failed: ${e instanceof Error ? e.message : String(e)}`));
  }
}

// follow shows events as they come, until they are stopped or are too many to show.
async function follow(body: ReadableStream<Uint8Array>, into: HTMLElement): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  const events = h("pre");
  const state = h("span", { class: "soft" }, "following");
  const stop = h("button", { type: "button", class: "plain", click: () => void reader.cancel() }, "Stop");
  into.replaceChildren(h("div", { class: "row" }, stop, state), events);
  for (let length = 0; length < maxShown;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    events.append(value);
    events.scrollTop = events.scrollHeight;
  }
  stop.disabled = true;
  state.textContent = "stopped";
  await reader.cancel();
}

interface Result { meta: { name: string; type: string }[]; data: Record<string, unknown>[]; rows: number; truncated: boolean }

// shown is an answer as a table where it is a result, else as text. Numbers beyond 2^53 would change on the way through JSON.parse: answers with
// such are shown as they came.
function shown(text: string, type: string): HTMLElement[] {
  const cut = text.length > maxShown ? `${text.slice(0, maxShown)}\n... (${text.length} characters)` : text;
  let value: unknown;
  if (type.includes("json") && !type.includes("ndjson") && !/[0-9]{16}/.test(text)) {
    try {
      value = JSON.parse(text);
    } catch {
      // not JSON after all: it is shown as text
    }
  }
  if (!isResult(value)) return [h("pre", {}, value !== undefined && cut === text ? JSON.stringify(value, null, 2) : cut)];
  const rows = value.data.slice(0, maxRows);
  return [
    h("div", { class: "scroll answer" }, h("table", {},
      h("tr", {}, ...value.meta.map((c) => h("th", {}, c.name, h("div", { class: "soft" }, c.type)))),
      ...rows.map((row) => h("tr", {}, ...value.meta.map((c) => cell(row[c.name])))))),
    h("p", { class: "soft" }, `${value.rows} rows${value.truncated ? ", cut by a limit" : ""}${rows.length < value.data.length ? `; the first ${rows.length} are shown` : ""}`),
    h("details", {}, h("summary", { class: "soft" }, "As it came"), h("pre", {}, cut)),
  ];
}

function isResult(v: unknown): v is Result {
  return typeof v === "object" && v !== null && "meta" in v && "data" in v && "rows" in v;
}

function cell(v: unknown): HTMLTableCellElement {
  if (v === null || v === undefined) return h("td", { class: "soft" }, "NULL");
  return h("td", {}, typeof v === "string" ? v : JSON.stringify(v));
}

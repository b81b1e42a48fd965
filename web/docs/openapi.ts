// The parts of an OpenAPI 3.1 document that the page shows.

export interface Schema {
  $ref?: string;
  title?: string;
  type?: string | string[];
  enum?: string[];
  default?: unknown;
  description?: string;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
}

export interface Parameter {
  name: string;
  in: "query" | "path" | "header";
  description?: string;
  required?: boolean;
  schema?: Schema;
  content?: Record<string, { schema?: Schema }>;
}

export interface Response {
  $ref?: string;
  description?: string;
  content?: Record<string, { schema?: Schema }>;
}

export interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, { schema?: Schema }> };
  responses: Record<string, Response>;
  security?: Record<string, string[]>[];
}

export interface Document {
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

// resolve follows a reference to a schema of the document.
export function resolve(doc: Document, schema: Schema | undefined): Schema {
  const ref = schema?.$ref;
  if (!ref) return schema ?? {};
  return doc.components.schemas[ref.slice("#/components/schemas/".length)] ?? {};
}

// typeOf is how a schema's type is shown: the SQL type where it is known.
export function typeOf(schema: Schema): string {
  if (schema.title) return schema.title;
  const type = Array.isArray(schema.type) ? schema.type.filter((t) => t !== "null").join(" or ") : schema.type;
  return type ?? "any";
}

// columnsOf are the columns of an operation's answer, [] where the document doesn't know them.
export function columnsOf(doc: Document, op: Operation): { name: string; type: string }[] {
  let schema = resolve(doc, op.responses["200"]?.content?.["application/json"]?.schema);
  for (const one of schema.anyOf ?? []) {
    const resolved = resolve(doc, one);
    if (resolved.properties?.data) schema = resolved;
  }
  const data = resolve(doc, schema.properties?.data?.items);
  const row = data.properties ? data : schema.properties?.data ? {} : schema;
  const properties = row.properties ?? {};
  // The keys of the document are sorted; "required" has the columns in their order.
  const names = [...new Set([...(row.required ?? []), ...Object.keys(properties)])];
  return names.map((name) => ({ name, type: typeOf(resolve(doc, properties[name])) }));
}

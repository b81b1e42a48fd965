// The public clients of Tinybird's API against a Leat server: node clients.mjs URL TOKEN. Prints one JSON line per step; the test checks them.
import { Tinybird } from "@chronark/zod-bird";
import { createClient, createTinybirdApi } from "@tinybirdco/sdk";
import { z } from "zod";

const [baseUrl, token] = process.argv.slice(2);
const say = (step, value) => console.log(JSON.stringify({ step, value }));
const failing = async (step, f) => {
  try {
    say(step, { answered: await f() });
  } catch (e) {
    say(step, { status: e.statusCode, message: String(e.message) });
  }
};

const bird = new Tinybird({ token, baseUrl });
const publish = bird.buildIngestEndpoint({
  datasource: "orders",
  wait: true,
  event: z.object({ id: z.number(), customer: z.string(), amount: z.number(), ordered: z.string() }),
});
say("zod-bird ingest", await publish([
  { id: 1, customer: "ada", amount: 10, ordered: "2026-01-01T00:00:00Z" },
  { id: 2, customer: "bob", amount: 5.5, ordered: "2026-01-01T00:00:01Z" },
  { id: 3, customer: "ada", amount: 2, ordered: "2026-01-01T00:00:02Z" },
]));
const spent = bird.buildPipe({
  pipe: "spent",
  parameters: z.object({ customer: z.string() }),
  data: z.object({ customer: z.string(), orders: z.number().int(), amount: z.number(), last: z.string() }),
});
say("zod-bird pipe", await spent({ customer: "ada" }));
say("zod-bird empty", await spent({ customer: "nobody" }));
await failing("zod-bird unknown pipe", () => bird.buildPipe({ pipe: "none", data: z.any() })({}));

const api = createTinybirdApi({ baseUrl, token });
say("sdk ingest", await api.ingest("orders", { id: 4, customer: "cy", amount: 1, ordered: "2026-01-01T00:00:03Z" }));
say("sdk batch", await api.ingestBatch("orders", [{ id: 5, customer: "cy", amount: 2, ordered: "2026-01-01T00:00:04Z" }, { id: 6, customer: "cy", amount: "much", ordered: "2026-01-01T00:00:05Z" }]));
say("sdk query", await api.query("spent", { customer: "cy" }));
say("sdk query of a list", await api.query("several", { ids: [1, 4] }));
say("sdk sql", await api.sql("SELECT count(*) AS n, sum(amount) AS amount FROM orders FORMAT JSON"));
await failing("sdk sql that changes", () => api.sql("DROP STREAM orders"));
await failing("sdk sql that is wrong", () => api.sql("SELECT nothing FROM orders"));
await failing("sdk unknown pipe", () => api.query("none"));
await failing("sdk missing parameter", () => api.query("spent"));
await failing("sdk bad token", () => createTinybirdApi({ baseUrl, token: "nonsense" }).query("spent", { customer: "ada" }));

const client = createClient({ baseUrl, token });
say("sdk client", (await client.query("spent", { customer: "bob" })).data);

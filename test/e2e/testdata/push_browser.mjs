// Follows a view in a browser, over EventSource and WebSocket; for each line of its input it prints what both know.
import puppeteer from "puppeteer-core";
import readline from "node:readline";

const [executablePath, server, path] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath, headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const page = await browser.newPage();
await page.goto(server + "/healthz");
await page.evaluate((path) => {
  const make = () => ({ rows: new Map(), opened: 0, snapshots: 0, resets: 0 });
  const apply = (s, event, data) => {
    switch (event) {
      case "snapshot":
        s.snapshots++;
        for (const r of data.rows) s.rows.set(r.k, JSON.stringify(r));
        break;
      case "upsert": s.rows.set(data.k, JSON.stringify(data)); break;
      case "delete": s.rows.delete(data.k); break;
      case "reset": s.rows.clear(); s.resets++; break;
    }
  };
  const source = make(), socket = make();
  window.known = { source, socket };
  const events = new EventSource(path);
  events.onopen = () => source.opened++;
  for (const name of ["snapshot", "upsert", "delete", "reset"]) events.addEventListener(name, (e) => apply(source, name, JSON.parse(e.data)));
  let last = "";
  const connect = () => {
    const ws = new WebSocket(path + (last && "?_from=" + last));
    ws.onopen = () => socket.opened++;
    ws.onmessage = (m) => {
      const e = JSON.parse(m.data);
      apply(socket, e.event, e.data);
      if (e.id) last = e.id;
    };
    ws.onclose = () => setTimeout(connect, 100);
  };
  connect();
}, path);
for await (const _ of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await page.evaluate(() => {
    const show = (s) => ({ ...s, rows: [...s.rows.values()].sort() });
    return { source: show(window.known.source), socket: show(window.known.socket) };
  })));
}
await browser.close();

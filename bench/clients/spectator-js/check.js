// Records with nflx-spectator for some seconds and compares with the server's answers.
"use strict";
const { Registry } = require("nflx-spectator");
const base = process.argv[2];
const seconds = 6;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
let failures = 0;
let checks = 0;
function check(what, got, want, tolerance = 0) {
  checks++;
  if (!(Math.abs(got - want) <= tolerance * Math.abs(want))) {
    failures++;
    console.log(`${what}: got ${got}, want ${want}`);
  }
}

async function graph(q) {
  const res = await fetch(`${base}/api/v1/graph?` + new URLSearchParams({ q, s: "e-90s", e: "now", step: "1ms", format: "json" }));
  const body = await res.json();
  if (!res.ok) throw new Error(`${q}: ${JSON.stringify(body)}`);
  const values = body.values.map((row) => row[0]).filter((v) => typeof v === "number");
  return { step: body.step / 1000, values };
}

// series asks for one series by its exact tags.
const series = (name, tags) => ["name," + name + ",:eq", ...Object.entries(tags).map(([k, v]) => `${k},${v},:eq,:and`)].join(",") + ",:sum";
const max = (name, tags) => series(name, tags).replace(/:sum$/, ":max");

async function main() {
  for (let i = 0; i < 100; i++) {
    try { if ((await fetch(base + "/ready")).ok) break; } catch { /* not up yet */ }
    await sleep(50);
  }
  const registry = new Registry({ uri: base + "/api/v4/update", frequency: 400, commonTags: { "nf.app": "checker", "nf.node": "node-1" }, strictMode: true });
  registry.start();

  const regions = ["eu", "us", "ap"];
  const counts = Object.fromEntries(regions.map((r) => [r, 0]));
  const timed = { count: 0, total: 0, squares: 0, max: 0 };
  const sized = { count: 0, total: 0, squares: 0, max: 0 };
  let level = -Infinity;
  const until = Date.now() + seconds * 1000;
  for (let i = 0; Date.now() < until; i++) {
    const region = regions[i % 3], by = 1 + (i * 7) % 11;
    registry.counter("check.starts", { region }).increment(by);
    counts[region] += by;
    const nanos = 1000000 + (i * 7919) % 900000000, s = Math.trunc(nanos / 1e9), n = nanos % 1e9;
    registry.timer("check.latency").record(s, n);
    timed.count++; timed.total += nanos / 1e9; timed.squares += (nanos / 1e9) ** 2; timed.max = Math.max(timed.max, nanos / 1e9);
    const bytes = 10 + (i * 104729) % 5000;
    registry.distributionSummary("check.size").record(bytes);
    sized.count++; sized.total += bytes; sized.squares += bytes * bytes; sized.max = Math.max(sized.max, bytes);
    const queue = (i * 31) % 97 + 0.5;
    registry.gauge("check.queue").set(queue);
    level = Math.max(level, queue);
    registry.percentileTimer("check.percentile").record(0, nanos % 1e9);
    await sleep(5);
  }
  await new Promise((done) => registry.stop(done));
  await sleep(1500);

  const total = async (q) => { const g = await graph(q); return g.values.reduce((a, v) => a + v * g.step, 0); };
  const whole = async (q) => { const g = await graph(q); return g.values.reduce((a, v) => a + Math.round(v * g.step), 0); };
  const top = async (q) => Math.max(...(await graph(q)).values);

  for (const region of regions) check(`starts in ${region}`, await whole(series("check.starts", { region, statistic: "count" })), counts[region]);
  check("timer count", await whole(series("check.latency", { statistic: "count" })), timed.count);
  check("timer totalTime", await total(series("check.latency", { statistic: "totalTime" })), timed.total, 1e-9);
  check("timer totalOfSquares", await total(series("check.latency", { statistic: "totalOfSquares" })), timed.squares, 1e-9);
  check("timer max", await top(max("check.latency", { statistic: "max" })), timed.max);
  check("summary count", await whole(series("check.size", { statistic: "count" })), sized.count);
  check("summary totalAmount", await total(series("check.size", { statistic: "totalAmount" })), sized.total, 1e-9);
  check("summary totalOfSquares", await total(series("check.size", { statistic: "totalOfSquares" })), sized.squares, 1e-9);
  check("summary max", await top(max("check.size", { statistic: "max" })), sized.max);
  check("percentile count", await whole(series("check.percentile", { statistic: "count" })), timed.count);
  check("percentile buckets", await whole(series("check.percentile", { statistic: "percentile" })), timed.count);
  const queue = await top(max("check.queue", { statistic: "gauge" }));
  checks++;
  if (!(queue > 0 && queue <= level)) { failures++; console.log(`queue: got ${queue}, want a level up to ${level}`); }
  const sources = await (await fetch(base + "/api/v1/sources")).json();
  const mine = sources.find((s) => s.source.includes("checker"));
  checks++;
  if (!mine || mine.accepted !== mine.stored + mine.superseded + mine.late || mine.rejected) { failures++; console.log("sources: " + JSON.stringify(mine)); }
  console.log(`spectator-js: ${checks - failures} passed, ${failures} failed (${timed.count} rounds of records, ${mine?.requests} requests)`);
  process.exit(failures ? 1 : 0);
}
main().catch((err) => { console.error(err); process.exit(1); });

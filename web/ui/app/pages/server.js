// Server: whether it does its work, how near its limits it is, and what is being asked of it.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, number, time } from "/ui/format.js";
import { repeat } from "/ui/shared.js";
import { Age, Bar, bytes, count, explore, Spark, Sure, Trouble, useAsk, Waiting } from "/ui/pages/parts.js";

export function Page() {
  const of = useAsk("/api/v1/status", 3000), s = of.data;
  return html`<${Trouble} of=${of} what="the status of the server" />
    ${!s ? !of.error && html`<section class="panel"><${Waiting} what="the status" /></section>` : html`<${State} s=${s} />`}
    ${of.error?.status !== 403 && html`<${Queries} />`}
    ${s && html`<div class="pages-two"><${Graphs} s=${s} /><${Memory} s=${s} /></div>
      <div class="pages-two"><${Disk} s=${s} /><${Limits} s=${s} /></div><${Refused} s=${s} />`}`;
}

function State({ s }) {
  const now = Date.parse(s.now), config = s.config, word = !s.ready ? "Loading" : s.degraded ? "Degraded" : "Ready";
  return html`<section class="panel" aria-label="State"><div class="lead"><h2><span class=${"badge " + (word === "Ready" ? "resolved" : word === "Loading" ? "pending" : "firing")} id="state">${word}</span></h2>
    <span>${!s.ready ? "It reads what it has stored. Queries and rules begin when it is done." : s.degraded || "It takes datapoints, answers queries and judges rules."}</span></div>
    ${config && !config.successful && html`<div class="error" role="alert">The configuration was not taken <${Age} at=${config.lastReloadAt} now=${now} />: ${config.error}. What was in force before still is.</div>`}
    <dl class="facts columns"><dt>version</dt><dd>${s.version} <span class="soft">${s.go}</span></dd><dt>up for</dt><dd title=${time(Date.parse(s.startedAt), 0) + " UTC"}>${duration((now - Date.parse(s.startedAt)) / 1000)}</dd>
      <dt>series</dt><dd>${count(s.series)}</dd><dt>step</dt><dd>${s.stepMs % 1000 ? s.stepMs + " ms" : duration(s.stepMs / 1000)}</dd>
      <dt>points are kept</dt><dd>${{ sync: "when they are on disk", interval: "in the log, synced now and then", none: "in the log, never synced" }[s.durability] || s.durability}${!s.log && ": in memory only"}</dd>
      <dt>time of the server</dt><dd>${time(now, 0)} UTC</dd></dl></section>`;
}

const program = (q = "") => (q.length > 160 ? q.slice(0, 160) + "…" : q) || "–";

function Queries() {
  const of = useAsk("/api/v1/queries", 1000), d = of.data, [said, setSaid] = useState(null);
  const cancel = async (q) => {
    try { await api.send("DELETE", "/api/v1/queries/" + q.id); setSaid({ text: "Query " + q.id + " is cancelled; its client is told." }); } catch (err) { setSaid({ text: "Query " + q.id + ": " + err.message, failed: true }); }
    of.again();
  };
  return html`<section class="panel" aria-label="Queries"><h2>Queries running${d && html` <span class="badge quiet">${d.running.length}</span>`}</h2>
    <p class=${"done" + (said?.failed ? " failed" : "")} role="status">${said?.text}</p>
    <${Trouble} of=${of} what="the queries" />
    ${!d ? !of.error && html`<${Waiting} what="queries" />` : html`${d.running.length === 0 ? html`<p class="soft">None at this moment.</p>` : html`<table id="running" class="cards"><thead><tr><th>expression</th><th>asked by</th><th class="num">for</th><th class="num">series</th><th class="num">datapoints</th><th class="num">memory</th><th></th></tr></thead>
      <tbody>${d.running.map((q) => html`<${Query} key=${q.id} q=${q} end=${html`<${Sure} title="end this query" does="Its client gets an error." yes="Cancel it" onYes=${() => cancel(q)}>Cancel<//>`} />`)}</tbody></table>`}
    <h3>Slowest of the last hour</h3>${d.slowest.length === 0 ? html`<p class="soft">None yet.</p>` : html`<table id="slowest" class="cards"><thead><tr><th>expression</th><th>asked by</th><th class="num">took</th><th class="num">series</th><th class="num">datapoints</th><th>when</th></tr></thead>
      <tbody>${d.slowest.slice(0, 8).map((q) => html`<${Query} key=${q.id} q=${q} over now=${of.at} />`)}</tbody></table>`}`}</section>`;
}

const took = (ms) => (ms < 1000 ? Math.round(ms) + " ms" : ms < 60_000 ? (ms / 1000).toFixed(1) + " s" : duration(ms / 1000));

function Query({ q, end, over, now }) {
  return html`<tr><td class="wide mono" title=${q.expr}>${q.path === "/api/v1/graph" && q.expr ? html`<a href=${explore(q.expr)}>${program(q.expr)}</a>` : program(q.expr)}
      <div class="soft">${q.path}${q.stepMs > 0 && " · " + duration((Date.parse(q.end) - Date.parse(q.start)) / 1000) + " by " + (q.stepMs % 1000 ? q.stepMs + " ms" : duration(q.stepMs / 1000))}</div></td>
    <td data-label="asked by">${q.token || q.client}</td><td class="num" data-label=${over ? "took" : "for"}>${q.waiting ? html`<span class="badge pending">waits</span>` : took(q.tookMs)}</td>
    <td class="num" data-label="series">${count(q.series)}</td><td class="num" data-label="datapoints">${number(q.datapoints)}</td>
    ${over ? html`<td data-label="when"><${Age} at=${q.since} now=${now} /></td>` : html`<td class="num" data-label="memory">${bytes(q.bytes)}</td><td>${end}</td>`}</tr>`;
}

// The own metrics that are drawn: what, the expression, how a value reads.
const own = [
  ["points stored per second", "name,pulse.ingest.points,:eq,outcome,stored,:eq,:and,:sum", number],
  ["points refused per second", "name,pulse.ingest.rejected,:eq,:sum", number],
  ["series", "name,pulse.store.series,:eq,:max", number],
  ["queries per second", "name,pulse.query.count,:eq,:sum", number],
  ["heap", "name,pulse.process.heapBytes,:eq,:max", bytes],
  ["steps judged per second", "name,pulse.detect.closed,:eq,:sum", number],
];

function Graphs({ s }) {
  const [lines, setLines] = useState(null), [error, setError] = useState(null);
  useEffect(() => { // the own metrics of half an hour, or as far as there are any
    const abort = new AbortController(), gap = Math.max(2000, s.stepMs);
    const stop = repeat(gap, async () => {
      const now = Date.now(), span = Math.min(30 * 60_000, Math.max(3 * 60_000, now - Date.parse(s.startedAt), 60 * s.stepMs));
      try { setLines((await api.graph(own.map(([what, q]) => q + "," + what + ",:legend").join(","), now - span, now, 120, abort.signal)).lines); setError(null); } catch (err) { if (err.name !== "AbortError") setError(err); }
    });
    return () => { stop(); abort.abort(); };
  }, [s.stepMs]);
  const last = (v) => { const known = v.filter((x) => x !== null); return known.length ? known[known.length - 1] : null; };
  return html`<section class="panel" aria-label="Own metrics"><h2>The server itself</h2><${Trouble} of=${{ error }} what="its own metrics" />
    <table id="own"><tbody>${own.map(([what, q, show]) => { const values = lines?.find((l) => l.label === what)?.values || []; return html`<tr key=${what}><td><a href=${explore(q)}>${what}</a></td><td><${Spark} values=${values} label=${what + " of late"} /></td><td class="num">${last(values) === null ? "–" : show(last(values))}</td></tr>`; })}</tbody></table></section>`;
}

const memoryParts = [["series", "series", "Values of the last hours, tags and the index. New series are refused when it is full."], ["ingest", "requests", "Bodies that are being received and unpacked."], ["queries", "queries", "Lines that queries have fetched. Queries get 503 when it is full."], ["streams", "event streams", "What waits for clients that follow a graph."]];

function Memory({ s }) {
  const hits = s.queryCache.hits + s.queryCache.misses;
  return html`<section class="panel" aria-label="Memory"><h2>Memory <span class="soft">${s.memory.limit ? bytes(s.memory.limit) + " in all" : "no limit"}</span></h2>
    ${memoryParts.map(([key, name, help]) => html`<${Bar} key=${key} name=${name} used=${s.memory[key].used} limit=${s.memory[key].limit} show=${bytes} help=${help} />${s.memory[key].refused > 0 && html`<p class="soft">${count(s.memory[key].refused)} times there was not enough for ${name} since the start.</p>`}`)}
    <h3>Query cache</h3>${s.queryCache.limit ? html`<${Bar} name="kept lines" used=${s.queryCache.used} limit=${s.queryCache.limit} show=${bytes} />
      <p id="cache">${hits ? html`<b>${Math.round((s.queryCache.hits / hits) * 100)} %</b> of the ${count(hits)} blocks that queries asked for were in it.` : "No query has asked it for a block yet."}</p>` : html`<p class="soft">There is none.</p>`}</section>`;
}

function Disk({ s }) {
  const d = s.disk, log = s.log, snap = s.snapshot, behind = log && log.next - 1 - log.synced;
  return html`<section class="panel" aria-label="Disk"><h2>Disk${d.limit ? html` <span class="soft">${bytes(d.limit)} in all</span>` : ""}</h2>
    ${!log ? html`<p class="soft">This server keeps everything in memory: what it has is lost when it ends.</p>` : html`<${Bar} name="log, snapshots, archive" used=${d.used} limit=${d.limit} show=${bytes} />
    <dl class="facts"><dt>log</dt><dd>${bytes(log.bytes)} in ${count(log.files)} ${log.files === 1 ? "file" : "files"}${log.waiting > 0 && ", " + count(log.waiting) + " requests wait for it"}</dd>
      <dt>last sync</dt><dd>${number(log.lastSyncMs)} ms, at worst ${number(log.worstSyncMs)} ms${behind > 0 && s.durability !== "none" && ", " + count(behind) + " records not synced yet"}</dd>
      ${(log.refused > 0 || log.doubtful > 0) && html`<dt>in trouble</dt><dd>${count(log.refused)} requests refused and ${count(log.doubtful)} doubtful, since the disk took nothing</dd>`}
      <dt>snapshots</dt><dd>${snap.taken ? count(snap.taken) + " taken, the last " + bytes(snap.lastBytes) + " in " + took(snap.lastTookMs) : "none taken since the start"}${snap.failures > 0 && html` <span class="badge firing">${count(snap.failures)} failed</span>`}</dd>
      <dt>archive</dt><dd>${bytes(d.archiveBytes)} in ${count(d.archiveFiles)} ${d.archiveFiles === 1 ? "file" : "files"}${d.waiting > 0 && ", " + count(d.waiting) + " block times wait for one"}${d.failures > 0 && ", " + count(d.failures) + " writes failed and are tried again"}${d.quarantined > 0 && html` <span class="badge firing">${count(d.quarantined)} damaged files put aside</span>`}</dd>
      ${d.dropped > 0 && html`<dt>dropped</dt><dd>${count(d.dropped)} archive files, for want of space</dd>`}
      <dt>last start</dt><dd>${count(s.recovery.series)} series and ${count(s.recovery.records)} records of the log in ${took(s.recovery.tookMs)}${s.recovery.lostRecords > 0 && html` <span class="badge firing">${count(s.recovery.lostRecords)} damaged records lost</span>`}</dd></dl>`}
    <h3>Tiers</h3><table id="tiers"><thead><tr><th>step</th><th>kept for</th><th>from</th><th>to</th><th class="num">size</th></tr></thead><tbody>${s.tiers.map((t) => html`<tr key=${t.stepMs}><td>${t.stepMs % 1000 ? t.stepMs + " ms" : duration(t.stepMs / 1000)}</td><td>${duration(t.retentionMs / 1000)}</td><td>${t.from.slice(0, 16).replace("T", " ")}</td><td>${t.to ? t.to.slice(0, 16).replace("T", " ") : "now"}</td><td class="num">${bytes(t.bytes)}</td></tr>`)}</tbody></table></section>`;
}

const named = { pairs: "tags", valuesPerKey: "values of one key", newSeriesBurst: "new series at once", bodiesBytes: "bodies being received", idempotencyKeys: "idempotency keys", queriesWaiting: "queries that wait", backtests: "back-tests" };
const words = (name) => named[name] || name.replace(/([A-Z])/g, (c) => " " + c.toLowerCase());

function Limits({ s }) {
  const [all, setAll] = useState(false);
  const list = Object.entries(s.limits).filter(([, l]) => l.used !== undefined).sort(([a, x], [b, y]) => y.used / y.limit - x.used / x.limit || (a < b ? -1 : 1));
  return html`<section class="panel" aria-label="Limits"><h2>Limits, the nearest first</h2>${list.slice(0, all ? 99 : 8).map(([name, l]) => html`<${Bar} key=${name} name=${words(name)} used=${l.used} limit=${l.limit} show=${/Bytes$/.test(name) ? bytes : count} />`)}
    <button class="more" onClick=${() => setAll(!all)}>${all ? "Fewer" : "All " + list.length}</button></section>`;
}

function Refused({ s }) {
  const r = s.refused, rows = [
    ["points", Object.values(r.points).reduce((a, b) => a + b, 0), html`<a href="/sources?show=rejected">whose, and the fix</a>`], ["new series", r.series.total, html`<a href="/data">which names and keys</a>`],
    ["requests that could not be read", r.requestsUnreadable], ["requests turned away", r.requestsTurned], ["senders beyond the limit", r.sources], ["requests without a token", r.withoutToken], ["requests without the scope", r.withoutScope],
  ];
  return html`<section class="panel" aria-label="Refused"><h2>Refused since the start</h2><table><tbody>${rows.map(([what, n, more]) => html`<tr key=${what}><td>${what}</td><td class="num">${count(n)}</td><td>${n > 0 && more}</td></tr>`)}</tbody></table></section>`;
}

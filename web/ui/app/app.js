// The page: a query box, a live graph with a rule's band and the past beside it, and the alerts.
import { html, render, signal, computed, effect, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { chart, color } from "/ui/chart.js";
import { Alerts } from "/ui/alerts.js";
import { duration, ms, number } from "/ui/format.js";

const params = new URLSearchParams(location.search);
const fallback = "name,pulse.ingest.points,:eq,:sum";

// What the URL holds, so that a link opens the same graph.
export const state = {
  q: signal(params.get("q") || fallback),
  range: signal(params.get("range") || "30m"),
  from: signal(Number(params.get("s")) || 0), // fixed start and end in ms; 0 follows the clock
  to: signal(Number(params.get("e")) || 0),
  live: signal(params.get("live") !== "0"),
  band: signal(params.get("band") || params.get("rule") || ""), // links in notifications say rule
  overlay: signal(params.get("overlay") || ""),
};
const data = signal(null);      // {step, times, lines, notices}
const past = signal([]);        // lines of the overlay
const bandData = signal(null);  // groups of the rule's band
const failure = signal("");
const connected = signal(false);
const hidden = signal(new Set());
const rules = signal([]);
const alertList = signal([]);
const status = signal(null);
const redraw = signal(0);       // counts theme changes

effect(() => {
  const p = new URLSearchParams();
  p.set("q", state.q.value);
  if (state.from.value) { p.set("s", state.from.value); p.set("e", state.to.value); } else p.set("range", state.range.value);
  if (!state.live.value) p.set("live", "0");
  if (state.band.value) p.set("band", state.band.value);
  if (state.overlay.value) p.set("overlay", state.overlay.value);
  history.replaceState(null, "", "?" + p);
});

function span() {
  if (state.from.value) return [state.from.value, state.to.value];
  const now = Date.now();
  return [now - ms(state.range.value), now];
}

let running = null; // aborts the load in flight
async function load() {
  running?.abort();
  const abort = (running = new AbortController());
  const [s, e] = span();
  const width = document.querySelector(".chart")?.clientWidth || 1000;
  try {
    const g = await api.graph(state.q.value, s, e, width / 2, abort.signal);
    failure.value = "";
    hidden.value = new Set([...hidden.value].filter((label) => g.lines.some((l) => l.label === label)));
    data.value = g;
    await Promise.all([loadPast(g, s, e, width, abort.signal), loadBand(s, e, abort.signal)]);
  } catch (err) {
    if (err.name !== "AbortError") failure.value = err.message;
  }
}

async function loadPast(g, s, e, width, abort) {
  const shift = ms(state.overlay.value);
  if (!(shift > 0)) { past.value = []; return; }
  const then = await api.graph(state.q.value, s - shift, e - shift, width / 2, abort);
  const byLabel = new Map(then.lines.map((l) => [l.label, l]));
  const at = new Map(then.times.map((t, i) => [t + shift / 1000, i]));
  past.value = g.lines.map((l) => ({ label: l.label, byTime: (t) => { const old = byLabel.get(l.label), i = at.get(t); return old && i !== undefined ? old.values[i] : null; } }));
}

async function loadBand(s, e, abort) {
  if (!state.band.value) { bandData.value = null; return; }
  bandData.value = (await api.band(state.band.value, s, e, abort)).groups;
}

// Live: append each closed step, and load anew when a line appears or the window jumps.
let pending = null;
function onStep(step) {
  const g = data.value;
  if (!g || state.from.value) return;
  const t = step.t / 1000, last = g.times[g.times.length - 1];
  if (t <= last) return;
  const known = new Map(g.lines.map((l, i) => [l.label, i]));
  if (t - last > 2.5 * g.step / 1000 || step.lines.some((l) => !known.has(l.label))) { void load(); return; }
  const values = g.lines.map(() => null);
  for (const l of step.lines) values[known.get(l.label)] = l.value;
  const from = t - ms(state.range.value) / 1000, cut = Math.max(0, g.times.findIndex((x) => x > from));
  data.value = { ...g, times: [...g.times.slice(cut), t], lines: g.lines.map((l, i) => ({ ...l, values: [...l.values.slice(cut), values[i]] })) };
  clearTimeout(pending);
  pending = setTimeout(() => { const [s, e] = span(); loadBand(s, e).catch(() => {}); }, 150);
}

effect(() => { // a new question: load it
  void [state.q.value, state.range.value, state.from.value, state.to.value, state.band.value, state.overlay.value];
  void load();
});
const liveStep = computed(() => data.value?.step);
effect(() => { // follow the steps while live
  if (!state.live.value || state.from.value || !liveStep.value) { connected.value = false; return; }
  return api.follow(state.q.value, liveStep.value, onStep, (up) => { connected.value = up; });
});

async function poll() {
  const settled = await Promise.allSettled([api.alerts(), api.rules(), api.status()]);
  if (settled[0].status === "fulfilled") alertList.value = settled[0].value;
  if (settled[1].status === "fulfilled") rules.value = settled[1].value;
  if (settled[2].status === "fulfilled") status.value = settled[2].value;
}
void poll();
setInterval(() => { if (!document.hidden) void poll(); }, 2000);

// bandFor picks the group of the rule's band that belongs to what is drawn, and aligns it with the graph's times.
function bandFor(g) {
  const groups = bandData.value;
  if (!groups || !g) return null;
  const visible = g.lines.filter((l) => !hidden.value.has(l.label));
  const tags = visible.length === 1 ? visible[0].tags : {};
  const fits = (x) => Object.entries(x.tags).every(([k, v]) => tags[k] === undefined || tags[k] === v);
  const group = groups.length === 1 ? groups[0] : visible.length === 1 ? groups.find(fits) : null;
  if (!group) return null;
  const at = new Map(group.rows.map((r) => [r.t / 1000, r]));
  const pick = (f) => g.times.map((t) => { const r = at.get(t); return r ? f(r) : null; });
  return { expected: pick((r) => r.expected), lower: pick((r) => r.lower), upper: pick((r) => r.upper), out: pick((r) => r.firing) };
}

function Graph() {
  const el = useRef(null), tip = useRef(null);
  const g = data.value, theme = redraw.value, old = past.value, off = hidden.value, band = bandFor(g);
  useEffect(() => {
    if (!g || g.times.length === 0 || g.lines.length === 0) return undefined;
    const lines = g.lines.map((l) => ({ ...l, hidden: off.has(l.label) }));
    const model = { times: g.times, lines, past: old.length === lines.length ? old.map((p) => ({ label: p.label, values: g.times.map(p.byTime) })) : [], band,
      onZoom: (s, e) => { state.live.value = false; state.from.value = s; state.to.value = e; } };
    const drawn = chart(el.current, tip.current, model);
    return () => drawn.destroy();
  }, [g, theme, old, off, bandData.value]);
  const none = g && (g.lines.length === 0 || g.lines.every((l) => l.values.every((v) => v === null)));
  return html`<div class="chart" role="img" aria-label=${g ? "Graph of " + g.lines.length + " lines; the table below has the values" : "Graph"}>
    <div ref=${el} style=${{ position: "absolute", inset: 0, visibility: none ? "hidden" : "visible" }}></div>
    <div ref=${tip} class="tip" hidden></div>
    ${none && html`<div class="empty"><p>No data for this query in this range.</p><p>Push a count, and it is here in the next step:</p>
      <pre>curl -X POST '${location.origin}/c/starts?region=eu' -d 1</pre>
      <p>then ask <code>name,starts,:eq,:sum</code></p></div>`}
  </div>`;
}

function stats(values) {
  const v = values.filter((x) => x !== null);
  if (v.length === 0) return { last: null, avg: null, max: null, min: null };
  return { last: v[v.length - 1], avg: v.reduce((a, b) => a + b, 0) / v.length, max: Math.max(...v), min: Math.min(...v) };
}

// Legend: a click shows or hides a line; with Alt, or a second click on the only one, all others.
function Legend() {
  const g = data.value;
  if (!g || g.lines.length === 0) return null;
  const toggle = (label, alone) => {
    const next = new Set(hidden.value);
    if (alone) {
      const only = g.lines.every((l) => (l.label === label) !== next.has(l.label));
      next.clear();
      if (!only) g.lines.forEach((l) => l.label !== label && next.add(l.label));
    } else if (!next.delete(label)) next.add(label);
    hidden.value = next;
  };
  return html`<div class="scroll"><table class="legend"><thead><tr><th></th><th>line</th><th class="num">last</th><th class="num">avg</th><th class="num wide">min</th><th class="num">max</th></tr></thead>
    <tbody>${g.lines.slice(0, 50).map((l, i) => { const s = stats(l.values); return html`<tr key=${l.label} class=${hidden.value.has(l.label) ? "off" : ""} tabindex="0"
      title="click: show or hide; double click: only this line" onClick=${(e) => toggle(l.label, e.altKey)} onDblClick=${() => toggle(l.label, true)} onKeyDown=${(e) => e.key === "Enter" && toggle(l.label, e.altKey)}>
      <td><span class="dot" style=${{ background: color(i) }}></span></td><td class="name">${l.label}</td>
      <td class="num">${number(s.last)}</td><td class="num">${number(s.avg)}</td><td class="num wide">${number(s.min)}</td><td class="num">${number(s.max)}</td></tr>`; })}</tbody></table>
    ${g.lines.length > 50 && html`<p class="keys">… and ${g.lines.length - 50} more lines</p>`}</div>`;
}

function Ask() {
  const box = useRef(null), [text, setText] = useState(state.q.value);
  useEffect(() => setText(state.q.value), [state.q.value]);
  const submit = () => { if (text.trim() === state.q.value) void load(); else state.q.value = text.trim() || fallback; };
  const ranges = ["5m", "15m", "30m", "1h", "3h", "6h", "1d", "2d"];
  const overlays = ["", "1h", "1d", "1w"];
  if (!overlays.includes(state.overlay.value)) overlays.push(state.overlay.value);
  return html`<section class="panel ask" aria-label="Query">
    <div class="line"><textarea id="query" ref=${box} rows="1" spellcheck="false" aria-label="Expression of the Atlas Stack Language" value=${text}
      onInput=${(e) => setText(e.target.value)} onKeyDown=${(e) => { if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); submit(); } }}></textarea>
      <button class="primary" onClick=${submit}>Graph</button></div>
    ${failure.value && html`<div class="error" role="alert">${failure.value}</div>`}
    ${(data.value?.notices || []).map((n) => html`<div class="notice">${n}</div>`)}
    <div class="options">
      <span class="segments" role="group" aria-label="Range">${ranges.map((r) => html`<button aria-pressed=${String(!state.from.value && state.range.value === r)}
        onClick=${() => { state.from.value = 0; state.to.value = 0; state.range.value = r; }}>${r}</button>`)}</span>
      ${state.from.value ? html`<button onClick=${() => { state.from.value = 0; state.to.value = 0; state.live.value = true; }}>Back to now</button>` : null}
      <button class="live" aria-pressed=${String(state.live.value && !state.from.value)} title=${connected.value ? "following every closed step" : "not connected"}
        onClick=${() => { state.live.value = !state.live.value; }}>Live</button>
      <label>Band <select id="band" value=${state.band.value} onChange=${(e) => { state.band.value = e.target.value; }}>
        <option value="">none</option>${rules.value.map((r) => html`<option value=${r.id} selected=${r.id === state.band.value}>${r.id}</option>`)}</select></label>
      <label>Compare with <select id="overlay" value=${state.overlay.value} onChange=${(e) => { state.overlay.value = e.target.value; }}>
        ${overlays.map((o) => html`<option value=${o} selected=${o === state.overlay.value}>${o === "" ? "nothing" : o === "1w" ? "1 week before" : o === "1d" ? "1 day before" : o + " before"}</option>`)}</select></label>
      <span class="keys"><kbd>/</kbd> query <kbd>l</kbd> live <kbd>w</kbd> week before <kbd>t</kbd> theme</span>
    </div></section>`;
}

function Header() {
  const s = status.value;
  const firing = alertList.value.filter((a) => a.state === "firing").length;
  useEffect(() => { document.title = (firing ? "(" + firing + ") " : "") + "Pulse"; }, [firing]);
  return html`<header><a class="skip" href="#query">to the query</a><h1><img src="/ui/icon.svg" alt="" />Pulse</h1>
    ${firing > 0 && html`<a href="#alerts" class="badge firing">${firing} firing</a>`}
    <span class="facts">${s ? s.series.toLocaleString("en") + " series · step " + duration(s.stepMs / 1000).replace(/^0 s$/, s.stepMs + " ms") : "connecting…"}</span>
    <button class="spacer" onClick=${toggleTheme} aria-label="Switch between light and dark">◐</button></header>`;
}

function show(alert) { // opens the graph of an alert: its rule's expression around its start
  const rule = rules.value.find((r) => r.id === alert.rule);
  if (!rule) return;
  state.q.value = rule.expr;
  state.band.value = rule.id;
  hidden.value = new Set();
  const started = Date.parse(alert.startsAt), ended = alert.endsAt ? Date.parse(alert.endsAt) : Date.now();
  const pad = Math.max(5 * 60e3, (ended - started) / 2);
  if (alert.state === "firing") { state.from.value = 0; state.to.value = 0; } else { state.from.value = started - pad; state.to.value = Math.min(Date.now(), ended + pad); }
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function toggleTheme() {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  try { localStorage.setItem("theme", document.documentElement.dataset.theme); } catch { /* private windows have no storage */ }
}
function setTheme(theme) { document.documentElement.dataset.theme = theme; redraw.value++; }
const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
try { chosen = localStorage.getItem("theme"); } catch { /* private windows have no storage */ }
setTheme(chosen || (system.matches ? "dark" : "light"));
system.addEventListener("change", (e) => { if (!chosen) setTheme(e.matches ? "dark" : "light"); });

addEventListener("keydown", (e) => {
  if (e.target.matches("textarea, input, select") || e.ctrlKey || e.metaKey || e.altKey) { if (e.key === "Escape") e.target.blur(); return; }
  if (e.key === "/") { e.preventDefault(); document.getElementById("query").focus(); }
  if (e.key === "l") state.live.value = !state.live.value;
  if (e.key === "w") state.overlay.value = state.overlay.value === "1w" ? "" : "1w";
  if (e.key === "t") toggleTheme();
});

render(html`<${Header} /><main><${Ask} /><section class="panel" aria-label="Graph"><${Graph} /><${Legend} /></section>
  <${Alerts} list=${alertList} onShow=${show} /></main>`, document.getElementById("app"));

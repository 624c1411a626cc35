// Explore: a query box, a live graph with a rule's band and the past beside it, and the alerts.
import { html, batch, signal, computed, effect, untracked, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { chart, color } from "/ui/chart.js";
import { mount } from "/ui/editor.js";
import { Alerts } from "/ui/alerts.js";
import { fits, ms, number } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { note, place } from "/ui/router.js";
import { alertList, away, locked, opened, polled, redraw, rules, silent, status } from "/ui/shared.js";

const fallback = "name,pulse.ingest.points,:eq,:sum";
const ranges = ["5m", "15m", "30m", "1h", "3h", "6h", "1d", "2d"];

// What the URL holds, so that a link opens the same graph.
export const state = {
  q: signal(""), range: signal(""),
  from: signal(0), to: signal(0), // fixed start and end in ms; 0 follows the clock
  live: signal(true), band: signal(""), overlay: signal(""),
  alert: signal(""), // the incident that is explained
};

// read takes the state from the query of an address.
function read(search) {
  const p = new URLSearchParams(search);
  batch(() => {
    state.q.value = p.get("q") || fallback;
    state.range.value = ms(p.get("range")) > 0 ? p.get("range") : "30m";
    state.from.value = Number(p.get("s")) || 0;
    state.to.value = Number(p.get("e")) || 0;
    state.live.value = p.get("live") !== "0";
    state.band.value = p.get("band") || p.get("rule") || ""; // links in notifications say rule
    state.overlay.value = p.get("overlay") || "";
    state.alert.value = p.get("alert") || "";
    link = p.get("alert") || "";
  });
}
const on = computed(() => place.value.path === "/" && !locked.value); // this is the page that is shown
const data = signal(null);      // {q, step, times, lines, notices}
const past = signal([]);        // lines of the overlay
const bandData = signal(null);  // groups of the rule's band
const failure = signal("");     // why there is no new graph
const refused = signal(null);   // where in the expression that is
const aside = signal([]);       // why there is no overlay or band
const connected = signal(false);
const attempts = signal(0);     // counts how often following was tried again
const hidden = signal(new Set()); // keys of lines

let link = ""; // an alert to look at, until it is found
effect(() => { if (place.value.path === "/") read(place.value.search); });
effect(() => {
  if (!on.value) return;
  const p = new URLSearchParams();
  p.set("q", state.q.value);
  if (state.from.value) { p.set("s", state.from.value); p.set("e", state.to.value); } else p.set("range", state.range.value);
  if (!state.live.value) p.set("live", "0");
  if (state.band.value) p.set("band", state.band.value);
  if (state.overlay.value) p.set("overlay", state.overlay.value);
  if (state.alert.value) p.set("alert", state.alert.value);
  note("?" + p);
});

function span() {
  if (state.from.value) return [state.from.value, state.to.value || Date.now()];
  const now = Date.now();
  return [now - ms(state.range.value), now];
}

let running = null;  // aborts the load in flight
let again = false;   // the last load failed, but may not if repeated
async function load() {
  running?.abort();
  if (!on.peek()) return;
  const abort = (running = new AbortController());
  const [s, e] = span();
  try {
    const g = await api.graph(state.q.value, s, e, width(), abort.signal);
    failure.value = "";
    refused.value = null;
    hidden.value = new Set([...hidden.value].filter((key) => g.lines.some((l) => l.key === key)));
    data.value = g;
    focus();
  } catch (err) {
    if (err.name === "AbortError") return;
    failure.value = err.status === 401 ? "" : err.message;
    refused.value = err.program || null;
    again = Boolean(err.passing);
    return;
  }
  const settled = await Promise.allSettled([loadPast(abort.signal), loadBand(s, e, abort.signal)]);
  if (!abort.signal.aborted) aside.value = settled.filter((x) => x.status === "rejected").map((x) => x.reason.message);
}

const width = () => (document.querySelector(".chart")?.clientWidth || 1000) / 2;

async function loadPast(abort) {
  const shift = ms(state.overlay.value), [s, e] = span();
  if (!(shift > 0)) { past.value = []; return; }
  const then = await api.graph(state.q.value, s - shift, e - shift, width(), abort);
  const byKey = new Map(then.lines.map((l) => [l.key, l]));
  const at = new Map(then.times.map((t, i) => [t + shift / 1000, i]));
  past.value = data.value.lines.map((l) => ({ label: l.label, byTime: (t) => { const old = byKey.get(l.key), i = at.get(t); return old && i !== undefined ? old.values[i] : null; } }));
}

async function loadBand(s, e, abort) {
  if (bandData.value?.rule !== state.band.value) bandData.value = null;
  if (!state.band.value) return;
  const rule = state.band.value, { groups } = await api.band(rule, s, e, abort);
  bandData.value = { rule, groups };
}

// extendBand asks for the rows after the newest one only.
async function extendBand() {
  const old = bandData.value, [s, e] = span();
  if (!old || old.rule !== state.band.value) return;
  const last = Math.max(0, ...old.groups.map((group) => group.rows[group.rows.length - 1]?.t || 0)) || s;
  if (last >= e) return;
  const { groups } = await api.band(old.rule, last, e);
  if (bandData.value !== old) return; // it was loaded anew meanwhile
  const more = new Map(groups.map((group) => [JSON.stringify(group.tags), group]));
  const grown = old.groups.map((group) => {
    const key = JSON.stringify(group.tags), next = more.get(key);
    more.delete(key);
    return { ...group, rows: [...group.rows.filter((r) => r.t > s), ...(next ? next.rows : [])] };
  });
  bandData.value = { rule: old.rule, groups: [...grown, ...more.values()] };
}

// every returns a function that has f called gap() ms later, once for all its calls until f is done.
function every(gap, f) {
  let timer = null;
  return () => { timer ??= setTimeout(async () => { await Promise.resolve(f()).catch(() => {}); timer = null; }, gap()); };
}

// Live: append the steps that have closed, and load anew when a line appears or the window jumps.
let closed = [];
const append = every(() => (data.value?.step < 250 ? 250 : 0), () => {
  const g = data.value, steps = closed;
  closed = [];
  if (!g || state.from.value || g.q !== state.q.value || g.times.length === 0) return;
  const known = new Map(g.lines.map((l, i) => [l.key, i]));
  const times = [...g.times], columns = g.lines.map((l) => [...l.values]);
  for (const step of steps) {
    const t = step.t / 1000, last = times[times.length - 1], at = api.keys(step.lines).map((key) => known.get(key));
    if (t <= last) continue;
    if (t - last > 2.5 * g.step / 1000 || at.includes(undefined)) { reload(); return; }
    times.push(t);
    for (const c of columns) c.push(null);
    step.lines.forEach((l, i) => { columns[at[i]][times.length - 1] = l.value; });
  }
  const from = times[times.length - 1] - ms(state.range.value) / 1000, cut = Math.max(0, times.findIndex((x) => x > from));
  data.value = { ...g, times: times.slice(cut), lines: g.lines.map((l, i) => ({ ...l, values: columns[i].slice(cut) })) };
  if (state.band.value) moreBand();
  if (state.overlay.value) morePast();
});
const reload = every(() => 500, load);
const moreBand = every(() => 150, extendBand);
const morePast = every(() => Math.max(5000, 2 * data.value.step), () => loadPast());

// focus shows only the line of the alert that is looked at, since the band is one group's.
let wanted = null; // its tags
function focus() {
  const g = data.value;
  if (!wanted || !g || g.q !== state.q.value) return;
  const part = Object.fromEntries(Object.entries(wanted).filter(([k]) => g.lines.some((l) => l.tags[k] !== undefined)));
  const others = g.lines.filter((l) => !fits(l.tags, part));
  if (others.length < g.lines.length) hidden.value = new Set(others.map((l) => l.key));
  wanted = null;
}

effect(() => { // a new question: load it
  if (!on.value) { running?.abort(); return; }
  void [opened.value, state.q.value, state.range.value, state.from.value, state.to.value, state.band.value, state.overlay.value];
  untracked(load);
});
const liveStep = computed(() => data.value?.step);
effect(() => { // follow the steps while live
  void attempts.value;
  connected.value = false;
  closed = [];
  if (!on.value || !state.live.value || state.from.value || !liveStep.value || failure.value || away.value) return undefined;
  let timer = null;
  const stop = api.follow(state.q.value, liveStep.value, (step) => { closed.push(step); append(); }, (up) => { connected.value = up; },
    () => { timer = setTimeout(() => { attempts.value++; void load(); }, 5000); });
  return () => { clearTimeout(timer); stop(); };
});
effect(() => { if (!away.value) untracked(load); });
effect(() => { // the server has answered
  void polled.value;
  if (on.value) untracked(() => {
    if (again && failure.value && !silent.value) void load();
    const linked = link && alertList.value.find((a) => a.incident === link);
    if (linked) { link = ""; wanted = linked.tags; focus(); }
  });
});

// bandFor picks the group of the rule's band that belongs to what is drawn, and aligns it with the graph's times.
function bandFor(g) {
  const groups = bandData.value?.groups;
  if (!groups || !g) return null;
  const visible = g.lines.filter((l) => !hidden.value.has(l.key));
  const group = groups.length === 1 ? groups[0] : visible.length === 1 ? groups.find((x) => fits(visible[0].tags, x.tags)) : null;
  if (!group || group.rows.length === 0) return null;
  // A row covers the step that ends at its time; the graph's steps may be shorter, or longer.
  const step = group.rows.length > 1 ? group.rows[1].t - group.rows[0].t : g.step;
  const up = (t, s) => Math.ceil(t / s) * s, times = g.times.map((t) => Math.round(t * 1000));
  const at = new Map(group.rows.map((r) => [r.t, r]));
  const pick = (f) => times.map((t) => { const r = at.get(up(t, step)); return r ? f(r) : null; });
  const out = new Set(group.rows.filter((r) => r.firing).map((r) => up(r.t, g.step)));
  return { expected: pick((r) => r.expected), lower: pick((r) => r.lower), upper: pick((r) => r.upper),
    out: pick((r) => r.firing).map((firing, i) => firing || out.has(times[i])) };
}

function Graph() {
  const el = useRef(null), tip = useRef(null), drawn = useRef(null);
  const g = data.value, theme = redraw.value, old = past.value, off = hidden.value, band = bandFor(g);
  useEffect(() => {
    if (!g || g.times.length === 0 || g.lines.length === 0) { drawn.current?.destroy(); drawn.current = null; return; }
    const lines = g.lines.map((l) => ({ ...l, hidden: off.has(l.key) }));
    const model = { times: g.times, lines, past: old.length === lines.length ? old.map((p) => ({ label: p.label, values: g.times.map(p.byTime) })) : [], band,
      onZoom: (s, e) => { state.live.value = false; state.from.value = s; state.to.value = e; } };
    const shape = JSON.stringify([theme, lines.map((l) => [l.key, l.hidden]), model.past.length, band !== null]);
    if (drawn.current?.shape === shape) { drawn.current.update(model); return; } // only values are new
    drawn.current?.destroy();
    drawn.current = { ...chart(el.current, tip.current, model), shape };
  }, [g, theme, old, off, bandData.value]);
  useEffect(() => () => drawn.current?.destroy(), []);
  const none = g && (g.lines.length === 0 || g.lines.every((l) => l.values.every((v) => v === null)));
  const bounded = band ? band.upper.filter((v, i) => (v ?? band.lower[i]) !== null).length : 0;
  const about = g ? "Graph of " + g.lines.length + " lines" + (bounded ? ", and the band of rule " + state.band.value : "") + "; the table below has the values" : "Graph";
  return html`<div class="chart" role="img" data-bounded=${bounded} data-to=${g?.times.at(-1)} aria-label=${about}>
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
  void redraw.value; // the dots have the theme's colours
  if (!g || g.lines.length === 0) return null;
  const toggle = (key, alone) => {
    const next = new Set(hidden.value);
    if (alone) {
      const only = g.lines.every((l) => (l.key === key) !== next.has(l.key));
      next.clear();
      if (!only) g.lines.forEach((l) => l.key !== key && next.add(l.key));
    } else if (!next.delete(key)) next.add(key);
    hidden.value = next;
  };
  return html`<div class="scroll"><table class="legend"><thead><tr><th></th><th>line</th><th class="num">last</th><th class="num">avg</th><th class="num wide">min</th><th class="num">max</th></tr></thead>
    <tbody>${g.lines.slice(0, 50).map((l, i) => { const s = stats(l.values), off = hidden.value.has(l.key); return html`<tr key=${l.key} class=${off ? "off" : ""}
      title="click: show or hide; double click: only this line" onClick=${(e) => toggle(l.key, e.altKey)} onDblClick=${() => toggle(l.key, true)}>
      <td><span class="dot" style=${{ background: color(i) }}></span></td><td class="name"><button aria-pressed=${String(!off)}>${l.label}</button></td>
      <td class="num">${number(s.last)}</td><td class="num">${number(s.avg)}</td><td class="num wide">${number(s.min)}</td><td class="num">${number(s.max)}</td></tr>`; })}</tbody></table>
    ${g.lines.length > 50 && html`<p class="keys">… and ${g.lines.length - 50} more lines</p>`}</div>`;
}

const inspecting = signal(false); // the stack is shown
const stackView = signal(null);   // the component for it, loaded for that
effect(() => { if (inspecting.value && !stackView.peek()) import("/ui/editor/stack.js").then(({ Stack }) => { stackView.value = Stack; }, () => { inspecting.value = false; }); });
let query = null;                 // the box of the expression, while the page is shown

function Ask() {
  const host = useRef(null), [caret, setCaret] = useState({ text: state.q.value, at: null });
  const submit = (text) => { if (text.trim() === state.q.value) void load(); else state.q.value = text.trim() || fallback; };
  useEffect(() => {
    query = mount(host.current, { value: state.q.value, onSubmit: submit, onCaret: (text, at) => setCaret({ text, at }), onChange: (text) => setCaret((c) => ({ ...c, text })),
      onInspect: () => { inspecting.value = !inspecting.value; } });
    return () => { query.destroy(); query = null; };
  }, []);
  useEffect(() => { query.setValue(state.q.value); setCaret((c) => ({ ...c, text: state.q.value })); }, [state.q.value]);
  useEffect(() => query.setError(refused.value), [refused.value]);
  const overlays = ["", "1h", "1d", "1w"];
  if (!overlays.includes(state.overlay.value)) overlays.push(state.overlay.value);
  return html`<section class="panel ask" aria-label="Query">
    <div class="line"><div class="editor" ref=${host}></div><button class="primary" onClick=${() => submit(query.value())}>Graph</button></div>
    ${inspecting.value && stackView.value && html`<${stackView.value} text=${caret.text} at=${caret.at} />`}
    ${failure.value && html`<div class="error" role="alert">${failure.value}</div>`}
    ${[...(data.value?.notices || []), ...aside.value].map((n) => html`<div class="notice">${n}</div>`)}
    <div class="options">
      <span class="segments" role="group" aria-label="Range">${ranges.map((r) => html`<button aria-pressed=${String(!state.from.value && state.range.value === r)}
        onClick=${() => { state.from.value = 0; state.to.value = 0; state.range.value = r; }}>${r}</button>`)}</span>
      ${state.from.value ? html`<button onClick=${() => { state.from.value = 0; state.to.value = 0; state.live.value = true; }}>Back to now</button>` : null}
      <button class="live" aria-pressed=${String(state.live.value && !state.from.value)} title=${connected.value ? "following every closed step" : "not connected"}
        onClick=${() => { state.live.value = !state.live.value; }}>Live</button>
      <a href=${"/rules/new?q=" + encodeURIComponent(state.q.value)}>Alert on this</a>
      <label>Band <select id="band" value=${state.band.value} onChange=${(e) => { state.band.value = e.target.value; }}>
        <option value="">none</option>${rules.value.map((r) => html`<option value=${r.id} selected=${r.id === state.band.value}>${r.id}</option>`)}</select></label>
      <label>Compare with <select id="overlay" value=${state.overlay.value} onChange=${(e) => { state.overlay.value = e.target.value; }}>
        ${overlays.map((o) => html`<option value=${o} selected=${o === state.overlay.value}>${o === "" ? "nothing" : o === "1w" ? "1 week before" : o === "1d" ? "1 day before" : o + " before"}</option>`)}</select></label>
      <button aria-pressed=${String(inspecting.value)} title="what each token leaves on the stack (s, or Ctrl+I while writing)" onClick=${() => { inspecting.value = !inspecting.value; }}>Stack</button>
      <span class="keys"><kbd>?</kbd> lists the keys</span>
    </div></section>`;
}

const why = signal(null); // the component that explains an alert, loaded for that
effect(() => { if (state.alert.value && !why.peek()) import("/ui/why.js").then(({ Why }) => { why.value = Why; }, () => { state.alert.value = ""; }); });

export function Page() {
  useKeys({
    "/": ["write the query", () => query.focus()],
    s: ["what each token leaves on the stack; Ctrl+I while writing", () => { inspecting.value = !inspecting.value; }],
    l: ["follow the steps, or stop", () => { state.live.value = !state.live.value; }],
    w: ["the week before", () => { state.overlay.value = state.overlay.value === "1w" ? "" : "1w"; }],
  });
  const First = firstRun.value;
  return html`${First && html`<${First} />`}<${Ask} /><section class="panel" aria-label="Graph"><${Graph} /><${Legend} /></section>
    ${state.alert.value && why.value && html`<${why.value} id=${state.alert.value} list=${alertList.value} onClose=${() => { state.alert.value = ""; }} />`}
    <${Alerts} list=${alertList} onShow=${show} />`;
}

// A server with few series may have nothing but its own: then it shows the way on.
const firstRun = signal(null);
effect(() => {
  if (!on.value || firstRun.peek() || polled.value === 0 || status.value?.series > 500) return;
  import("/ui/pages/firstrun.js").then((m) => { firstRun.value = m.FirstRun; }, () => { /* at the next poll */ });
});

function show(alert) { // opens why an alert is there, and its graph: its rule's expression, from before it began
  state.alert.value = alert.incident;
  const rule = rules.value.find((r) => r.id === alert.rule);
  const q = rule ? rule.expr : new URL(alert.graph || "/", location.origin).searchParams.get("q"); // the rule may be gone
  if (!q) return;
  wanted = alert.tags;
  state.q.value = q;
  state.band.value = rule ? rule.id : "";
  hidden.value = new Set();
  const started = Date.parse(alert.startsAt || alert.pendingSince), ended = alert.endsAt ? Date.parse(alert.endsAt) : 0;
  const lasted = (ended || Date.now()) - started, pad = Math.max(5 * 60e3, lasted / 2);
  if (ended) { state.from.value = started - pad; state.to.value = Math.min(Date.now(), ended + pad); } else {
    state.from.value = 0; state.to.value = 0; state.live.value = true;
    const enough = (r) => ms(r) >= 1.5 * lasted + 60e3;
    if (!enough(state.range.value)) state.range.value = ranges.find(enough) || "2d";
  }
  focus();
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

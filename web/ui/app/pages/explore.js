// Explore: a query box, a live graph with a rule's band and the past beside it, and the alerts.
import { html, effect, signal, useEffect, useMemo, useRef, useState } from "/ui/vendor/preact.js";
import { mount } from "/ui/editor.js";
import { Alerts } from "/ui/alerts.js";
import { duration, time } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { alertList, polled, rules, status, writing } from "/ui/shared.js";
import { aside, connected, data, failure, load, refused } from "/ui/pages/exploredata.js";
import { Graph, drawn, pinned } from "/ui/pages/exploregraph.js";
import { ask, fallback, follow, linked, on, ranges, state, unzoom, wider } from "/ui/pages/explorestate.js";

// later is a signal of what a module exports, loaded when wanted says so.
function later(wanted, get, without) {
  const part = signal(null);
  effect(() => { if (wanted() && !part.peek()) get().then((found) => { part.value = found; }, without || (() => {})); });
  return part;
}
const inspecting = signal(false); // the stack is shown
const stackView = later(() => inspecting.value, () => import("/ui/editor/stack.js").then((m) => m.Stack), () => { inspecting.value = false; });
const why = later(() => state.alert.value, () => import("/ui/why.js").then((m) => m.Why), () => { state.alert.value = ""; });
const show = (alert) => import("/ui/pages/exploreshow.js").then((m) => m.show(alert), () => {});
later(() => linked.value, () => import("/ui/pages/exploreshow.js"), () => { linked.value = ""; });
const legend = later(() => drawn.value, () => import("/ui/pages/explorelegend.js"));
// A server with few series may have nothing but its own: then it shows the way on.
const firstRun = later(() => on.value && (drawn.value || failure.value) && polled.value > 0 && !(status.value?.series > 500), () => import("/ui/pages/firstrun.js").then((m) => m.FirstRun), () => { /* at the next poll */ });

const tools = { time: () => import("/ui/pages/exploretime.js"), build: () => import("/ui/pages/explorebuild.js"), past: () => import("/ui/pages/explorepast.js"), share: () => import("/ui/pages/exploreshare.js") };
const tool = signal("");  // which of them is open
const opened = signal({}); // those that have been, by name
effect(() => {
  const name = tool.value;
  if (name && !opened.value[name]) tools[name]().then((m) => { opened.value = { ...opened.peek(), [name]: m.Tool }; }, () => { tool.value = ""; });
});
const turn = (name) => { tool.value = tool.value === name ? "" : name; };

let remembered; // an expression that had an answer is put into this browser's history
effect(() => {
  const g = data.value;
  if (!g || g.q === remembered) return;
  remembered = g.q;
  try {
    const old = JSON.parse(localStorage.getItem("queries") || "[]").filter((x) => x.q !== g.q);
    localStorage.setItem("queries", JSON.stringify([{ q: g.q, t: Date.now() }, ...old].slice(0, 200)));
  } catch { /* private windows have no storage */ }
});
const walk = (way, by) => import("/ui/pages/explorewalk.js").then((m) => m[way](by), () => {});
let query = null; // the box of the expression, while the page is shown

function Ask() {
  const host = useRef(null), [caret, setCaret] = useState({ text: state.q.value, at: null });
  const submit = (text) => { if (text.trim() === state.q.value) void load(); else ask(text.trim() || fallback); };
  useEffect(() => {
    query = mount(host.current, { value: state.q.value, past: "queries", onSubmit: submit, onCaret: (text, at) => setCaret({ text, at }), onChange: (text) => setCaret((c) => ({ ...c, text })),
      onInspect: () => { inspecting.value = !inspecting.value; } });
    if (writing.value) query.focus();
    writing.value = false;
    return () => { query.destroy(); query = null; };
  }, []);
  useEffect(() => { query.setValue(state.q.value); setCaret((c) => ({ ...c, text: state.q.value })); }, [state.q.value]);
  useEffect(() => query.setError(refused.value), [refused.value]);
  const overlays = ["1h", "1d", "1w"], { range, from, style, live, band, overlay } = state, Tool = opened.value[tool.value], g = data.value;
  if (overlay.value && !overlays.includes(overlay.value)) overlays.push(overlay.value);
  const bands = useMemo(() => rules.value.map((r) => html`<option key=${r.id} value=${r.id} selected=${r.id === band.value}>${r.id}</option>`), [rules.value, band.value]); // there may be thousands
  const button = (name, text, title) => html`<button aria-expanded=${String(tool.value === name)} title=${title} onClick=${() => turn(name)}>${text}</button>`;
  return html`<section class="panel ask" aria-label="Query">
    <div class="line"><div class="editor" ref=${host}></div><button class="primary" onClick=${() => submit(query.value())}>Graph</button></div>
    ${inspecting.value && stackView.value && html`<${stackView.value} text=${caret.text} at=${caret.at} />`}
    ${failure.value && html`<div class="error" role="alert">${failure.value}</div>`}
    ${[...(g?.notices || []), ...aside.value].map((n) => html`<div class="notice">${n}</div>`)}
    <div class="options">
      <span class="segments" role="group" aria-label="Range">${ranges.map((r) => html`<button aria-pressed=${String(!from.value && range.value === r)} onClick=${() => follow(r)}>${r}</button>`)}</span>
      ${button("time", g?.times.length > 0 ? time(g.times[0] * 1000 - g.step) + " – " + time(g.times[g.times.length - 1] * 1000) + " UTC, " + (g.step < 1000 ? g.step + " ms" : duration(g.step / 1000)) + " steps" : "Time", "range and step (r)")}
      ${from.value ? html`<button onClick=${() => { state.live.value = true; follow(range.value); }}>Back to now</button>` : null}
      <button class="live" aria-pressed=${String(live.value && !from.value)} title=${connected.value ? "following every closed step" : "not connected"}
        onClick=${() => { live.value = !live.value; }}>Live</button>
      <span class="segments" role="group" aria-label="Style">${["", "area", "stack"].map((s) => html`<button aria-pressed=${String(style.value === s)} onClick=${() => { style.value = s; }}>${s === "stack" ? "Stacked" : s ? "Area" : "Lines"}</button>`)}</span>
      <label>Band <select id="band" value=${band.value} onChange=${(e) => { band.value = e.target.value; }}>
        <option value="">none</option>${bands}</select></label>
      <span class="label">Compare with <span class="segments" role="group" aria-label="Compare with what was before">${overlays.map((o) => html`<button aria-pressed=${String(o === overlay.value)} title=${"the same lines " + o + " before" + (o === "1w" ? " (w)" : "")} onClick=${() => { overlay.value = o === overlay.value ? "" : o; }}>−${o}</button>`)}</span></span>
      ${button("build", "Build", "an expression without writing one (b)")}${button("past", "History", "what was asked before (h)")}${button("share", "Share", "links, pictures, values (e)")}
      <button aria-pressed=${String(inspecting.value)} title="what each token leaves on the stack (s, or Ctrl+I while writing)" onClick=${() => { inspecting.value = !inspecting.value; }}>Stack</button>
      <a href=${"/rules/new?q=" + encodeURIComponent(state.q.value)}>Alert on this</a>
      <span class="keys"><kbd>?</kbd> lists the keys</span>
    </div>
    ${Tool && html`<${Tool} text=${caret.text} write=${(text) => { query.setValue(text); setCaret({ text, at: null }); }} run=${submit} close=${() => { tool.value = ""; }} />`}</section>`;
}

export function Page() {
  useKeys({
    "/": ["write the query", () => query.focus()],
    b: ["build an expression", () => turn("build")],
    h: ["what was asked before", () => turn("past")],
    r: ["range and step", () => turn("time")],
    e: ["links, pictures, values", () => turn("share")],
    s: ["what each token leaves on the stack; Ctrl+I while writing", () => { inspecting.value = !inspecting.value; }],
    l: ["follow the steps, or stop", () => { state.live.value = !state.live.value; }],
    w: ["the week before", () => { state.overlay.value = state.overlay.value === "1w" ? "" : "1w"; }],
    j: ["the next line of the legend", () => legend.value?.move(1)],
    k: ["the one before", () => legend.value?.move(-1)],
    o: ["only this line, or all", () => legend.value?.turn(true)],
    x: ["show or hide it", () => legend.value?.turn(false)],
    ArrowLeft: ["the values of the step before", () => walk("step", -1)],
    ArrowRight: ["the values of the step after", () => walk("step", 1)],
    i: ["less time, around the values that are shown", () => walk("closer")],
    z: ["more time around this", wider],
    "[": ["earlier", () => walk("shift", -1)],
    "]": ["later", () => walk("shift", 1)],
    Escape: ["close what is open, or leave the zoom", () => { if (tool.value) tool.value = ""; else if (pinned.value) pinned.value = null; else unzoom(); }],
  });
  const First = firstRun.value;
  return html`${First && html`<${First} />`}<${Ask} /><section class="panel" aria-label="Graph"><${Graph} />${legend.value && html`<${legend.value.Legend} />`}</section>
    ${state.alert.value && why.value && html`<${why.value} id=${state.alert.value} list=${alertList.value} onClose=${() => { state.alert.value = ""; }} />`}
    <${Alerts} list=${alertList} onShow=${show} />`;
}

// A panel of the board: how its stream stands in large type, its graph, its alerts, and who
// carries the change.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, exact, number, tags, time } from "/ui/format.js";
import { alertList, away, locked, opened, redraw } from "/ui/shared.js";
import { since } from "/ui/pages/alertdata.js";
import { second, serverNow, woken } from "/ui/pages/boardclock.js";
import { graph } from "/ui/pages/boardchart.js";
import { feed } from "/ui/pages/boardfeed.js";

const shownMarks = 4;
const words = { firing: "firing", nodata: "no data", pending: "pending", resolved: "over" };
const shapes = { firing: "▲", nodata: "◇", pending: "◔", resolved: "○", out: "▲", calm: "●", stale: "✕", wait: "…" };
export const ages = { "1w": "a week before", "1d": "a day before", "1h": "an hour before" };
const before = (off) => ages[off] || off + " before";
const same = (a, b) => { const k = Object.keys(a || {}); return k.length === Object.keys(b || {}).length && k.every((x) => b[x] === a[x]); };

// percent says how far a value is from another: −62 %, +8 %, ×12.
function percent(v, from) {
  const part = v / from - 1;
  if (!(Math.abs(from) > 0) || !Number.isFinite(part)) return "";
  if (part > 9.99) return "×" + number(Math.round(v / from));
  const whole = Math.round(100 * Math.abs(part));
  return whole === 0 ? "±0 %" : (part < 0 ? "−" : "+") + whole + " %";
}

// stand says where the stream stands: {state, value, change, against, out}.
function stand(s, alerts) {
  const row = s.row && s.t - s.row.t <= 3 * s.every + 15e3 ? s.row : null, w = s.window, v = s.value;
  const open = alerts.find((a) => a.state === "firing") || alerts.find((a) => a.state === "nodata") || alerts.find((a) => a.state === "pending");
  const late = s.t ? serverNow() - s.t : 0, slow = Math.max(4 * (s.every || 0), 15e3) + 5e3;
  const stale = !s.window ? "" : late > slow ? "stale" : "";
  let change = "", against = "";
  if (v !== null && row && row.expected !== null && row.expected !== undefined && row.expected !== 0) {
    change = percent(v, row.expected); against = "expected " + number(row.expected);
  } else if (v !== null && row && row.upper !== null && row.upper !== undefined && v > row.upper) { change = "+" + number(v - row.upper); against = "over the limit " + number(row.upper); }
  else if (v !== null && row && row.lower !== null && row.lower !== undefined && v < row.lower) { change = "−" + number(row.lower - v); against = "under the limit " + number(row.lower); }
  else if (v !== null && w?.length && w.past.at(-1)) { change = percent(v, w.past.at(-1)); against = before(s.off) + " " + number(w.past.at(-1)); }
  const state = stale || open?.state || (row?.firing ? "out" : s.window ? "calm" : "wait");
  return { state, open, value: v, change, against, late, out: Boolean(row?.firing) };
}

// Panel follows what: {rule, group, q, range, off, name}. onStand is told when its state changes.
export function Panel({ what, stale, onStand }) {
  const el = useRef(null), drawing = useRef(null), live = useRef(null), draws = useRef(0), marked = useRef(() => {});
  const [, fresh] = useState(0), [mark, setMark] = useState(null);
  const key = JSON.stringify(what);
  const mine = (s) => (what.rule ? alertList.value.filter((a) => a.rule === what.rule && (!s?.tags || same(a.tags, s.tags))) : []);
  const spans = (s) => mine(s).map((a) => ({ a, from: since(a), to: a.endsAt ? Date.parse(a.endsAt) : Math.max(s.t, since(a)), state: a.state })).filter((x) => s.window?.length && x.to >= s.window.time(0));
  useEffect(() => {
    drawing.current = graph(el.current, (t) => marked.current(t));
    live.current = feed(what, (s) => {
      if (s.window) drawing.current.set(s.window, spans(s));
      draws.current++;
      fresh((n) => n + 1);
    });
    return () => { live.current.stop(); drawing.current.destroy(); live.current = null; };
  }, [key]);
  const begun = useRef(false);
  useEffect(() => { if (begun.current) live.current.wake(); begun.current = true; }, [away.value, locked.value, opened.value, woken.value]);
  useEffect(() => { drawing.current.redraw(); }, [redraw.value]);
  void second.value; // ages
  const s = live.current?.state || { window: null, value: null, row: null, error: "", tags: what.group }, alerts = mine(s), x = stand(s, alerts);
  const all = s.window ? spans(s).sort((a, b) => b.from - a.from) : [], stretches = s.window ? s.window.stretches().filter((r) => !all.some((y) => y.from <= r.to && y.to >= r.from)) : [];
  const marks = [...all.map((y) => ({ id: y.a.incident, kind: y.state, ...y })), ...stretches.reverse().map((r) => ({ id: "out" + r.from, kind: "out", ...r }))].slice(0, shownMarks);
  marked.current = (t) => {
    const hit = t ? all.find((y) => y.from - s.every <= t && t <= y.to) || stretches.find((r) => r.from <= t && t <= r.to) : null;
    const id = hit ? hit.a?.incident || "out" + hit.from : null;
    if (id !== (mark?.by === "pointer" ? mark.id : null)) setMark(id ? { id, by: "pointer" } : null);
  };
  const state = stale ? "stale" : x.state, open = [...all, ...stretches.map((r) => ({ id: "out" + r.from, kind: "out", ...r }))].find((m) => (m.a?.incident || m.id) === mark?.id);
  useEffect(() => { onStand?.(what.name, state); }, [state]);
  const name = what.rule || what.q, group = tags(s.tags) || (s.lines > 1 && s.label ? s.label : ""), none = s.window && s.window.value.every((v) => v === null), parts = x.open?.contributors || [];
  const off = ["firing", "out", "nodata"].includes(state);
  const say = state === "stale" ? "stale" : state === "wait" ? "loading" : state === "calm" ? (s.row ? "in band" : "") : state === "out" ? "out of band" : words[state];
  return html`<section class=${"board-panel s-" + state} aria-label=${name + (group ? ", " + group : "")} data-state=${state} data-points=${s.window?.length || 0} data-most=${s.window?.most || 0} data-draws=${draws.current} data-t=${s.t || 0}
      data-out=${s.window ? s.window.out.filter(Boolean).length : 0} data-bounded=${s.window ? s.window.lower.filter((v, i) => v !== null || s.window.upper[i] !== null).length : 0} data-past=${s.window ? s.window.past.filter((v) => v !== null).length : 0} data-live=${String(Boolean(s.connected))} data-off=${s.off || ""}>
    <div class="board-title"><h2>${what.rule ? html`<a href=${"/rules/" + encodeURIComponent(what.rule)}>${name}</a>` : html`<a href=${"/?q=" + encodeURIComponent(what.q)}><code>${name}</code></a>`}${group && html` <span class="group">${group}</span>`}
      ${s.lines > 1 && html` <span class="soft">· 1 of ${s.lines}</span>`}</h2><${Fresh} s=${s} x=${x} /></div>
    <div class="board-now"><span class="value">${s.window && x.value === null ? "no data" : number(x.value)}</span>
      ${x.change && html`<span class=${"change" + (off ? " off" : "")}><b>${x.change}</b><small>${x.against}</small></span>`}
      ${say && html`<span class=${"say s-" + state}><i aria-hidden="true">${shapes[state]}</i> ${say}${x.open && state !== "stale" && html` <b title=${"since " + exact(since(x.open))}>${duration((serverNow() - since(x.open)) / 1000)}</b>`}</span>`}</div>
    <div class="board-graph"><div ref=${el} class="plot" role="img" aria-label=${say + ", value " + number(x.value) + (x.against ? ", " + x.against : "")}></div>
      ${s.error && html`<p class="error" role="alert">${s.error}</p>`}${!s.error && none && html`<p class="empty">No value in this time.</p>`}
      ${open && html`<${Carried} key=${open.a?.incident || open.id} m=${open} what=${what} s=${s} />`}</div>
    <div class="board-marks">${parts.length > 0 && html`<span class="carried-by"><span class="soft">carried by</span> <b>${tags(parts[0].tags)}</b> ${Math.round(100 * parts[0].share)} %</span>`}
      ${marks.map((m) => html`<button key=${m.id} class=${"mark s-" + m.kind} aria-expanded=${String(mark?.id === m.id)} onMouseEnter=${() => setMark({ id: m.id, by: "mark" })} onMouseLeave=${() => setMark(null)} onFocus=${() => setMark({ id: m.id, by: "mark" })} onBlur=${() => setMark(null)}
        onKeyDown=${(e) => { if (e.key === "Escape") setMark(null); }} onClick=${() => setMark({ id: m.id, by: "mark" })}><i aria-hidden="true">${shapes[m.kind]}</i> ${m.kind === "out" ? "out of band" : words[m.kind]} ${time(m.from)}<span class="soft"> ${duration((m.to - m.from) / 1000)}</span></button>`)}
      ${s.off && html`<span class="soft then"><i class="dashes" aria-hidden="true"></i> ${before(s.off)}</span>`}</div></section>`;
}

// Fresh says how old the newest step is, and how many of its sources had reported.
function Fresh({ s, x }) {
  if (!s.t) return html`<span class="fresh soft">${s.error ? "" : "loading …"}</span>`;
  const few = s.sources > 0 && s.reported < s.sources;
  return html`<span class=${"fresh" + (x.state === "stale" ? " bad" : "")} title=${"newest step " + exact(s.t)}>${s.connected ? "" : "not connected · "}${duration(Math.max(0, x.late) / 1000)} old${s.sources > 0
    ? html` · <span class=${few ? "few" : ""}>${s.reported} of ${s.sources} sources</span>` : s.completeness !== null && s.completeness !== undefined && s.completeness < 1 ? html` · <span class="few">${Math.round(100 * s.completeness)} % reported</span>` : ""}</span>`;
}

// Carried says who carries the change of an alert, or of a stretch that was out of band.
function Carried({ m, what, s }) {
  const a = m.a, [got, setGot] = useState(null);
  useEffect(() => {
    if (a || !what.rule) return undefined;
    const stop = new AbortController(), p = new URLSearchParams({ t: String(m.at), since: String(m.from) }), pairs = Object.entries(s.tags || {});
    if (pairs.length > 0) p.set("tags", pairs.map((kv) => kv.join("=")).join(","));
    api.get("/api/v1/rules/" + encodeURIComponent(what.rule) + "/contributors?" + p, stop.signal).then((b) => setGot({ list: (b.values || []).map((v) => ({ tags: { [b.key]: v.value }, delta: v.delta, share: v.share })), even: b.even }), (err) => { if (err.name !== "AbortError") setGot({ list: [], error: err.message }); });
    return () => stop.abort();
  }, [m.id]);
  const list = a ? a.contributors || [] : got?.list || [];
  return html`<div class="carried" role="tooltip"><b>${a ? a.rule + " " + words[a.state] : "Out of band"} ${time(m.from)}${a && !a.endsAt ? "" : " to " + time(m.to).slice(-8)} UTC, ${duration((m.to - m.from) / 1000)}</b>
    ${a?.annotations?.summary && html`<p>${a.annotations.summary}</p>`}
    ${list.length > 0 ? html`<table><caption>Who carries the change</caption><tbody>${list.map((c) => html`<tr key=${tags(c.tags)}><td>${tags(c.tags)}</td><td class="num">${c.delta > 0 ? "+" : ""}${number(c.delta)}</td><td class="num">${Math.round(100 * c.share)} %</td></tr>`)}</tbody></table>`
      : html`<p class="soft">${a || got ? got?.error || "Nobody stands out: the change is not carried by one value of a tag." : "…"}</p>`}</div>`;
}

// The graph of an alert: its steps as they were judged, with what the band still has of those
// that were not kept, the alert marked.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { chart } from "/ui/chart.js";
import { go } from "/ui/router.js";
import { redraw, rules } from "/ui/shared.js";
import { ended, open, since } from "/ui/pages/alertdata.js";

const most = 1440; // steps of a band that is asked for
const least = 20;  // steps that are drawn, with or without a value

// useSteps returns the steps of an alert in order of time: those that were kept with it, and
// what its rule's band has beside them. Of an alert that goes on only the new ones are asked for.
export function useSteps(a) {
  const kept = a.why?.steps || [], step = stepOf(kept), [rows, setRows] = useState([]), last = useRef(0), busy = useRef(false);
  const from = since(a), to = ended(a) || Date.now(), wants = step < Infinity && (open(a) || missing(kept, step));
  const there = rules.value.some((r) => r.id === a.rule);
  useEffect(() => {
    if (!wants || !there || busy.current) return;
    const pad = 30 * step, e = Math.min(Date.now(), to + pad), s = last.current || Math.max(from - pad, e - most * step);
    if (e - s < step) return;
    busy.current = true;
    const p = new URLSearchParams({ s: String(s), e: String(e), format: "json" }), pairs = Object.entries(a.tags || {}).filter(([, v]) => !v.includes(","));
    if (pairs.length > 0) p.set("tags", pairs.map((kv) => kv.join("=")).join(","));
    api.get("/api/v1/rules/" + encodeURIComponent(a.rule) + "/band?" + p).then(({ groups }) => {
      if (groups.length !== 1 || groups[0].rows.length === 0) return;
      last.current = groups[0].rows[groups[0].rows.length - 1].t;
      setRows((old) => [...old, ...groups[0].rows.map((r) => ({ ...r, out: r.firing }))].slice(-most));
    }, () => {}).finally(() => { busy.current = false; }); // what was kept is shown in any case
  }, [a.incident, a.evaluatedAt, there, step]);
  const at = new Map(rows.map((r) => [r.t, r]));
  for (const s of kept) at.set(s.t, s);
  return [...at.values()].sort((x, y) => x.t - y.t);
}

const stepOf = (steps) => steps.slice(1).reduce((least, s, i) => Math.min(least, s.t - steps[i].t), Infinity);
const missing = (steps, step) => steps.some((s, i) => i > 0 && s.t - steps[i - 1].t > step);

// AlertChart draws them; a drag leads to Explore.
export function AlertChart({ a, steps }) {
  const el = useRef(null), tip = useRef(null), drawn = useRef(null), theme = redraw.value, key = steps.length + ":" + steps[steps.length - 1].t + ":" + steps[0].t;
  useEffect(() => {
    const all = whole(steps), pick = (name) => all.map((s) => s[name] ?? null);
    const model = { times: all.map((s) => s.t / 1000), lines: [{ label: a.rule, values: pick("value") }], past: [],
      band: { expected: pick("expected"), lower: pick("lower"), upper: pick("upper"), out: all.map((s) => Boolean(s.out)) },
      spans: [{ from: since(a), to: ended(a) || steps[steps.length - 1].t }],
      onZoom: (s, e) => { const to = document.querySelector(".to-explore"); if (to) { const u = new URL(to.href); u.searchParams.set("s", String(s)); u.searchParams.set("e", String(e)); go(u.pathname + u.search); } } };
    if (drawn.current) drawn.current.update(model); else drawn.current = chart(el.current, tip.current, model);
  }, [key, theme, a.state]);
  useEffect(() => () => drawn.current?.destroy(), []);
  const out = steps.filter((s) => s.out).length;
  return html`<div class="chart" role="img" data-steps=${steps.length} aria-label=${"Values and band of " + steps.length + " steps, " + out + " of them out of band; the tables below have the values"}>
    <div ref=${el} style=${{ position: "absolute", inset: 0 }}></div><div ref=${tip} class="tip" hidden></div></div>`;
}

// whole fills what is missing between steps with one that has no value, so that no line leads over it.
function whole(steps) {
  const step = stepOf(steps), out = [];
  for (const s of steps) {
    const last = out[out.length - 1];
    if (last && s.t - last.t > step) out.push({ t: last.t + step });
    out.push(s);
  }
  for (let i = out.length; i < least && step < Infinity; i += 2) {
    out.unshift({ t: out[0].t - step });
    out.push({ t: out[out.length - 1].t + step });
  }
  return out;
}

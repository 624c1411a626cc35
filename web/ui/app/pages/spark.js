// The little graph of an alert: values, the band they were expected in, and where they were out
// of it. It is loaded when it comes into view, and goes on with the verdicts of the list.
import { html, useEffect, useMemo, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { away, locked } from "/ui/shared.js";
import { open, since } from "/ui/pages/alertdata.js";

const most = 120;    // steps that are shown
const gap = 15e3;    // ms after which an open alert's are loaded anew
const known = new Map(); // incident → {at, steps, detail, slow}
const waiting = [];  // of {a, done}: one is loaded at a time
let busy = false;

async function next() {
  if (busy) return;
  busy = true;
  for (let job; (job = waiting.shift());) {
    if (!job.wanted()) continue;
    const got = await load(job.a).catch(() => null);
    if (got) { known.set(job.a.incident, got); if (known.size > 500) known.delete(known.keys().next().value); }
    job.done(got);
  }
  busy = false;
}

// load reads the steps of an alert: those that it was decided on, and for one that has been on
// for longer the latest of its band.
async function load(a) {
  const detail = await api.alert(a.incident), old = known.get(a.incident);
  let steps = detail.why?.steps || [], slow = old?.slow || 0;
  const last = steps.length > 1 ? steps[steps.length - 1] : null, step = last ? last.t - steps[steps.length - 2].t : 0;
  if (open(a) && a.state !== "pending" && step > 0 && Date.now() - last.t > 5 * step && slow < 1000) {
    const from = performance.now(), now = Date.now();
    const p = new URLSearchParams({ s: String(now - most * step), e: String(now), format: "json" });
    const pairs = Object.entries(a.tags || {}).filter(([, v]) => !v.includes(","));
    if (pairs.length > 0) p.set("tags", pairs.map((kv) => kv.join("=")).join(","));
    const band = await api.get("/api/v1/rules/" + encodeURIComponent(a.rule) + "/band?" + p).catch(() => null);
    slow = performance.now() - from; // an expensive rule is not asked again
    if (band?.groups.length === 1 && band.groups[0].rows.length > 1) steps = band.groups[0].rows.map((r) => ({ ...r, out: r.firing }));
  }
  return { at: Date.now(), steps: open(a) ? steps.slice(-most) : beginning(steps), detail, slow };
}

// beginning returns the steps up to the first that are not kept.
function beginning(steps) {
  const step = Math.min(...steps.slice(1).map((s, i) => s.t - steps[i].t));
  const end = steps.findIndex((s, i) => i > 0 && s.t - steps[i - 1].t > step);
  return end < 0 ? steps : steps.slice(0, end);
}

// useDetail loads an alert while el is in view.
export function useDetail(el, a) {
  const [, fresh] = useState(0), [seen, setSeen] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver((entries) => setSeen(entries[entries.length - 1].isIntersecting), { rootMargin: "200px" });
    watch.observe(el.current);
    return () => watch.disconnect();
  }, [a.incident]);
  useEffect(() => {
    if (!seen) return undefined;
    let here = true, timer = null;
    const ask = () => {
      if (away.peek() || locked.peek()) { timer = setTimeout(ask, gap); return; }
      waiting.push({ a, wanted: () => here, done: () => { fresh((n) => n + 1); if (open(a)) timer = setTimeout(ask, gap); } });
      void next();
    };
    const had = known.get(a.incident);
    if (!had || (open(a) && Date.now() - had.at > gap) || had.detail.state !== a.state) ask();
    else if (open(a)) timer = setTimeout(ask, gap);
    return () => { here = false; clearTimeout(timer); };
  }, [seen, a.incident, a.state]);
  return known.get(a.incident);
}

// live returns steps with the newest verdict of the list at their end.
function live(got, a) {
  const steps = got?.steps || [], last = steps[steps.length - 1], step = steps.length > 1 ? last.t - steps[steps.length - 2].t : 0;
  const at = Date.parse(a.evaluatedAt);
  if (!open(a) || step === 0 || !(at - last.t >= step)) return steps;
  const t = Math.floor(at / step) * step;
  if (t - last.t > 3 * step) return steps;
  got.steps = [...steps, { t, value: a.value, expected: a.expected, lower: a.lower, upper: a.upper, out: a.state === "firing" }].slice(-most);
  return got.steps;
}

// Spark draws it, 200 × 44.
export function Spark({ got, a }) {
  const steps = live(got, a), size = { w: 200, h: 44 };
  const drawn = useMemo(() => draw(steps, a, size), [steps, a.state]);
  if (!drawn) return html`<svg class="little-graph" viewBox="0 0 ${size.w} ${size.h}" aria-hidden="true"></svg>`;
  return html`<svg class="little-graph" viewBox="0 0 ${size.w} ${size.h}" preserveAspectRatio="none" role="img" aria-label=${"values of " + steps.length + " steps"}>
    <path class="spark-band" d=${drawn.band} /><path class="spark-expected" d=${drawn.expected} />
    ${drawn.begin !== null && html`<path class="spark-begin" d=${"M" + drawn.begin + " 0V" + size.h} />`}
    <path class="spark-line" d=${drawn.line} /><path class="spark-out" d=${drawn.out} /></svg>`;
}

// draw returns the paths, null when there is nothing to draw.
function draw(steps, a, { w, h }) {
  const values = steps.flatMap((s) => [s.value, s.lower, s.upper, s.expected]).filter((v) => v !== null && v !== undefined);
  if (steps.length < 2 || values.length === 0) return null;
  let low = Math.min(...values), high = Math.max(...values);
  if (low >= 0 && low < 0.6 * high) low = 0;
  if (low !== 0) low -= 0.2 * (high - low); // room for a side of the band
  if (high === low) { high += 1; low -= 1; }
  const t0 = steps[0].t, t1 = steps[steps.length - 1].t;
  const x = (t) => (w * (t - t0) / (t1 - t0)).toFixed(1), y = (v) => (2 + (h - 4) * (high - v) / (high - low)).toFixed(1);
  const path = (pick, within = () => true) => {
    let d = "", pen = false;
    for (const s of steps) {
      const v = pick(s);
      if (v === null || v === undefined || !within(s)) { pen = false; continue; }
      d += (pen ? "L" : "M") + x(s.t) + " " + y(v) + (pen ? "" : "l.01 0");
      pen = true;
    }
    return d;
  };
  const begin = since(a);
  return { line: path((s) => s.value), out: path((s) => s.value, (s) => s.out), expected: path((s) => s.expected), band: band(steps, x, y, h),
    begin: begin > t0 && begin <= t1 ? x(begin) : null };
}

// band returns the outline of the band; a side without a bound is that of the picture.
function band(steps, x, y, h) {
  let d = "";
  const bounded = (s) => (s.lower ?? s.upper ?? null) !== null;
  for (let i = 0; i < steps.length; i++) {
    if (!bounded(steps[i])) continue;
    let j = i;
    while (j + 1 < steps.length && bounded(steps[j + 1])) j++;
    const part = steps.slice(i, j + 1), edge = (v, side) => (v === null || v === undefined ? side : y(v));
    d += "M" + part.map((s) => x(s.t) + " " + edge(s.upper, 0)).join("L") + "L" + part.toReversed().map((s) => x(s.t) + " " + edge(s.lower, h)).join("L") + "Z";
    i = j;
  }
  return d;
}

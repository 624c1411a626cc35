// What Explore has loaded of the server: the lines, live as steps close.
import { computed, effect, signal, untracked } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { ms } from "/ui/format.js";
import { away, opened, polled, silent } from "/ui/shared.js";
import { on, span, state } from "/ui/pages/explorestate.js";

export const data = signal(null);      // {q, step, times, lines, notices}
export const failure = signal("");     // why there is no new graph
export const refused = signal(null);   // where in the expression that is
export const aside = signal([]);       // why there is no overlay or band
export const connected = signal(false);
const attempts = signal(0);            // counts how often following was tried again

// beside has what is drawn beside the lines, a band or the past: loaded when there is one.
export const beside = signal(null);
const wanted = computed(() => Boolean(state.band.value || state.overlay.value));
const fetched = async () => beside.peek() || (beside.value = await import("/ui/pages/explorebeside.js"));

// hidden are the keys of the lines that are not shown.
export const hidden = computed(() => {
  const keys = (data.value?.lines || []).map((l) => l.key), only = keys.filter((key) => state.only.value.includes(key));
  return new Set(keys.filter((key) => (only.length > 0 ? !only.includes(key) : state.hide.value.includes(key))));
});

export const width = () => (document.querySelector(".chart")?.clientWidth || 1000) / 2;

let running = null;  // aborts the load in flight
let again = false;   // the last load failed, but may not if repeated
export async function load() {
  running?.abort();
  if (!on.peek()) return;
  const abort = (running = new AbortController());
  const [s, e] = span();
  try {
    data.value = await api.graph(state.q.value, s, e, width(), abort.signal, state.step.value);
    failure.value = "";
    refused.value = null;
  } catch (err) {
    if (err.name === "AbortError") return;
    failure.value = err.status === 401 ? "" : err.message;
    refused.value = err.program || null;
    again = Boolean(err.passing);
    return;
  }
  const faults = wanted.value || beside.value ? await fetched().then((b) => b.load(s, e, abort.signal), () => ["the server does not answer"]) : [];
  if (!abort.signal.aborted) aside.value = faults;
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
  if (!g || state.from.value || g.q !== state.q.value || g.times.length === 0 || steps.length === 0) return;
  const known = new Map(g.lines.map((l, i) => [l.key, i]));
  const from = steps.at(-1).t / 1000 - ms(state.range.value) / 1000, cut = Math.max(0, g.times.findIndex((x) => x > from));
  const times = g.times.slice(cut), columns = g.lines.map((l) => l.values.slice(cut));
  for (const step of steps) {
    const t = step.t / 1000, last = times[times.length - 1], at = api.keys(step.lines).map((key) => known.get(key));
    if (t <= last) continue;
    if (t - last > 2.5 * g.step / 1000 || at.includes(undefined)) { reload(); return; }
    times.push(t);
    for (const c of columns) c.push(null);
    step.lines.forEach((l, i) => { columns[at[i]][times.length - 1] = l.value; });
  }
  data.value = { ...g, times, lines: g.lines.map((l, i) => ({ ...l, values: columns[i] })) };
  if (state.band.value) moreBand();
  if (state.overlay.value) morePast();
});
const reload = every(() => 500, load);
const moreBand = every(() => 150, () => beside.value?.extendBand());
const morePast = every(() => Math.max(5000, 2 * data.value.step), () => beside.value?.loadPast());

effect(() => { // a new question: load it
  if (!on.value) { running?.abort(); return; }
  void [opened.value, state.q.value, state.range.value, state.from.value, state.to.value, state.step.value, state.band.value, state.overlay.value];
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
  if (on.value) untracked(() => { if (again && failure.value && !silent.value) void load(); });
});

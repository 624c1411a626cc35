// What a panel shows: the steps of a rule's group, or of a line of an expression, followed as
// they close; loaded anew after gaps, sleeps, restarts, and now and then, for what came late.
import * as api from "/ui/api.js";
import { fits, ms } from "/ui/format.js";
import { away, locked } from "/ui/shared.js";
import { asked, draw, serverNow, undraw } from "/ui/pages/boardclock.js";
import { follow as joined } from "/ui/pages/boardstream.js";
import { Window } from "/ui/pages/boardwindow.js";

const most = 720;            // steps on a panel
const renew = 15 * 60e3;     // ms between full loads
const offsets = ["1w", "1d", "1h"]; // what is compared with, the first that has data
const number = (v) => (typeof v === "number" ? v : null);

// feed follows what = {rule, group, q, range, off} and calls onDraw when there is something new
// to be drawn. It returns {state, wake, stop}; state is read when drawing.
export function feed(what, onDraw) {
  const s = { window: null, tags: what.group, label: "", group: null, lines: 0, every: 0, t: 0, value: null, row: null, came: 0, completeness: null, reported: 0, sources: 0, off: "", connected: false, error: "", refusals: 0, loaded: 0 };
  const end = new AbortController(), rulePath = "/api/v1/rules/" + encodeURIComponent(what.rule), range = ms(what.range);
  let timers = [], unfollow = null, loading = null, again = false, early = [], rows = 0, ahead = 0, asking = 0, missed = 0;
  const later = (gap, f) => { const id = setTimeout(() => { timers = timers.filter((x) => x !== id); f(); }, gap); timers.push(id); };
  const ask = (path) => asked((signal) => api.get(path, signal), end.signal);
  const asleep = () => away.peek() || locked.peek() || end.signal.aborted;

  // line picks the line of the panel's group, or else the largest.
  function line(lines) {
    const wanted = what.rule ? s.tags : what.group;
    if (wanted && Object.keys(wanted).length > 0) return lines.findIndex((l) => fits(l.tags || {}, wanted));
    if (lines.length < 2 || what.rule) return lines.length - 1 < 0 ? -1 : 0;
    if (s.label && lines.some((l) => l.label === s.label)) return lines.findIndex((l) => l.label === s.label);
    const size = lines.map((l) => (l.values ? l.values.reduce((a, v) => a + (v || 0), 0) : l.value || 0));
    return size.indexOf(Math.max(...size));
  }
  const at = (lines) => { const i = line(lines); return i < 0 ? null : lines[i].value; };
  async function graph(from, to, step) {
    const p = new URLSearchParams({ q: what.q, s: String(from), e: String(to), w: String(most), format: "json" });
    if (step) p.set("step", step + "ms");
    const g = await ask("/api/v1/graph?" + p);
    return { step: g.step, times: g.values.map((_, i) => g.start + i * g.step), lines: g.legend.map((label, j) => ({ label, tags: g.metrics[j] || {}, values: g.values.map((row) => number(row[j])) })) };
  }
  // groups learns which group is in most trouble, and who has reported.
  async function groups() {
    if (!what.rule) return;
    const p = new URLSearchParams({ limit: "1" });
    if (what.group && Object.keys(what.group).length > 0) p.set("tags", Object.entries(what.group).map((kv) => kv.join("=")).join(","));
    const g = await ask(rulePath + "/groups?" + p);
    asking = serverNow();
    s.every = g.step; s.reported = g.reported; s.sources = g.sources; s.lines = g.total;
    const first = g.groups[0] || null, stays = !first || !s.group || JSON.stringify(first.tags) === JSON.stringify(s.group.tags);
    const worse = first && (!s.group || first.state !== "inactive" || what.group);
    if (stays || worse) s.group = first;
    if (!what.group && s.group && worse && !stays) { s.tags = s.group.tags; void load(); }
    if (!what.group && s.group) s.tags = s.group.tags;
  }
  async function band(from, to) {
    if (!what.rule || to - from < 1) return [];
    const p = new URLSearchParams({ s: String(from), e: String(to), format: "json" }), pairs = Object.entries(s.tags || {}).filter(([, v]) => !v.includes(","));
    if (pairs.length > 0) p.set("tags", pairs.map((kv) => kv.join("=")).join(","));
    const found = (await ask(rulePath + "/band?" + p)).groups;
    return (found.find((g) => JSON.stringify(g.tags) === JSON.stringify(s.tags)) || found[0])?.rows || [];
  }
  function judge(w, list) {
    for (const row of list) w.judged(row, s.every || w.step);
    const last = list[list.length - 1];
    if (last) { s.row = last; rows = last.t; }
  }
  // past loads what was before: up to where the window will be after a quarter of its range.
  async function past(w) {
    const tried = what.off === "off" ? [] : what.off ? [what.off] : offsets;
    for (const off of tried) {
      const by = ms(off), to = w.last + Math.min(by, range / 4), g = await graph(w.first - w.step - by, to - by, w.step), i = line(g.lines);
      if (i < 0 || !(g.lines[i].values.filter((v) => v !== null).length > g.times.length / 4)) continue;
      s.off = off;
      s.then = { times: g.times, values: g.lines[i].values, by, step: g.step };
      ahead = to;
      return;
    }
    s.off = ""; s.then = null; ahead = Infinity;
  }
  const drawNow = () => onDraw(s);
  const changed = () => { if (!end.signal.aborted) draw(drawNow); };

  async function load() {
    if (loading) { again = true; return; }
    if (asleep()) return;
    loading = true; again = false; early = [];
    try {
      await groups();
      const to = Math.floor(serverNow()), g = await graph(to - range, to, s.every), i = line(g.lines);
      const w = new Window(g.step, range);
      if (!what.rule) { s.lines = g.lines.length; s.every ||= g.step; }
      if (!what.rule && i >= 0 && !what.group) s.label = g.lines[i].label;
      g.times.forEach((t, k) => { if (t <= to) w.put("value", t, i < 0 ? null : g.lines[i].values[k]); });
      judge(w, await band(to - range, to));
      if (w.length > 0) await past(w).catch(() => {}); // a board without what was before is a board
      if (end.signal.aborted) return;
      for (const { t, lines } of early) if (t > w.last) w.live(t, at(lines));
      if (s.then && w.length > 0) w.before(s.then.times, s.then.values, s.then.by, s.then.step);
      const first = !s.window;
      s.window = w; s.error = ""; s.loaded = Date.now();
      if (!s.t || s.t < w.last - w.step) latest(w);
      if (!unfollow) follow();
      if (first) drawNow(); // what is new is seen at once
    } catch (err) {
      if (err.name !== "AbortError" && err.status !== 0) s.error = err.message;
      later(err.passing || err.name === "AbortError" ? 2000 : 15e3, load);
    } finally {
      loading = null;
      changed();
      if (again) later(500, load);
    }
  }
  function latest(w) {
    for (let i = w.length - 1; i >= 0; i--) if (w.value[i] !== null) { s.t = w.time(i); s.value = w.value[i]; return; }
  }
  // reached is the step after which they are followed; 0, which is now, where that is long ago.
  const reached = () => (serverNow() - s.t < 20 * s.every ? Math.floor(s.t / s.every) * s.every : 0);
  function follow() {
    unfollow?.();
    s.came = Date.now();
    unfollow = joined(what.q, what.rule ? s.every : 0, reached(), step, (up) => {
      if (up && s.lost) { s.lost = false; void load(); } // it may have been another server's life
      if (!up) s.lost = true;
      s.connected = up;
      changed();
    }, () => { unfollow = null; s.refusals++; later(Math.min(60e3, 2000 * s.refusals), load); });
  }
  function step({ t, step: every, completeness, lines }) {
    if (end.signal.aborted) return;
    s.came = Date.now(); s.refusals = 0; s.completeness = completeness;
    if (!what.rule) s.every = every;
    if (loading) early.push({ t, lines }); // what is being loaded does not have it
    const w = s.window, v = at(lines);
    if (!w) return;
    if (s.t && t - s.t > 2.5 * every) { if (missed !== s.t) { missed = s.t; void load(); } } // what lies between is loaded
    if (t < s.t - 2 * w.step) return;
    w.live(t, v);
    s.t = t; s.value = v;
    if (t >= ahead) { ahead = Infinity; past(w).then(() => fill(w), () => { ahead = t + range / 4; }); }
    fill(w, true);
    if (what.rule) more();
    changed();
  }
  // fill draws the line from before on, at the steps that are new.
  function fill(w, only) {
    if (!s.then) return;
    if (!only) { w.before(s.then.times, s.then.values, s.then.by, s.then.step); return; }
    const i = w.length - 1, j = Math.ceil((w.last - s.then.by - s.then.times[0]) / s.then.step);
    if (i >= 0 && j >= 0 && j < s.then.values.length) w.past[i] = s.then.values[j];
  }
  // more asks for the band of the steps since, which are judged a moment after they closed.
  let wanted = false;
  function more() {
    if (wanted) return;
    wanted = true;
    later(Math.max(300, Math.min(1000, s.every / 4)), async () => {
      try {
        if (!asleep() && s.window && !loading) {
          if (serverNow() - asking > Math.max(s.every, 4000)) await groups();
          const w = s.window;
          judge(w, await band(Math.max(rows, w.first), Math.floor(serverNow())));
        }
      } catch { /* with the next step */ }
      wanted = false;
      changed();
    });
  }
  // watch begins anew when nothing came for too long: the connection may be there in name only.
  function watch() {
    const now = Date.now();
    if (!asleep() && unfollow && !loading && now - s.came > 3 * (s.every || 10e3) + 10e3) { s.connected = false; follow(); void load(); }
    else if (!asleep() && s.loaded && now - s.loaded > renew) void load();
    later(5000, watch);
  }
  void load();
  later(5000, watch);
  return {
    state: s,
    wake() { if (asleep()) { unfollow?.(); unfollow = null; s.connected = false; } else { unfollow?.(); unfollow = null; s.lost = false; void load(); } },
    stop() { end.abort(); unfollow?.(); timers.forEach(clearTimeout); undraw(drawNow); },
  };
}

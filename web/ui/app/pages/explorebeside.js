// What is drawn beside the lines of Explore: the same lines earlier, and the band of a rule.
import { signal } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { fits, ms } from "/ui/format.js";
import { data, hidden, width } from "/ui/pages/exploredata.js";
import { span, state } from "/ui/pages/explorestate.js";

export const past = signal([]);        // lines of the overlay
export const bandData = signal(null);  // groups of the rule's band

// load loads both, as they are wanted, and returns what went wrong.
export async function load(s, e, abort) {
  const settled = await Promise.allSettled([loadPast(abort), loadBand(s, e, abort)]);
  return settled.filter((x) => x.status === "rejected").map((x) => x.reason.message);
}

export async function loadPast(abort) {
  const what = () => ["q", "overlay", "range", "from", "to", "step"].map((name) => state[name].value).join("\n"), asked = what(), shift = ms(state.overlay.value), [s, e] = span();
  if (!(shift > 0)) { past.value = []; return; }
  const then = await api.graph(state.q.value, s - shift, e - shift, width(), abort, state.step.value);
  if (what() !== asked) return; // another past is being loaded, or none
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
export async function extendBand() {
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

// bandFor picks the group of the rule's band that belongs to what is drawn, and aligns it with the graph's times.
export function bandFor(g) {
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

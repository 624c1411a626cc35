// The way from an alert to its graph.
import { batch, effect, signal } from "/ui/vendor/preact.js";
import { fits, ms } from "/ui/format.js";
import { alertList, rules } from "/ui/shared.js";
import { data } from "/ui/pages/exploredata.js";
import { between, follow, linked, ranges, state } from "/ui/pages/explorestate.js";

// Only the line of the alert that is looked at is shown, since the band is one group's.
const wanted = signal(null); // its tags
effect(() => {
  const g = data.value, tags = wanted.value;
  if (!tags || !g || g.q !== state.q.peek()) return;
  const part = Object.fromEntries(Object.entries(tags).filter(([k]) => g.lines.some((l) => l.tags[k] !== undefined)));
  const mine = g.lines.filter((l) => fits(l.tags, part));
  wanted.value = null;
  if (mine.length === g.lines.length) return;
  state.only.value = mine.map((l) => l.key);
});
effect(() => { // an alert that a link names
  const found = linked.value && alertList.value.find((a) => a.incident === linked.value);
  if (!found) return;
  linked.value = "";
  if (state.only.peek().length + state.hide.peek().length === 0) wanted.value = found.tags;
});

// show opens why an alert is there, and its graph: its rule's expression, from before it began.
export function show(alert) {
  const rule = rules.value.find((r) => r.id === alert.rule);
  const q = rule ? rule.expr : new URL(alert.graph || "/", location.origin).searchParams.get("q"); // the rule may be gone
  const started = Date.parse(alert.startsAt || alert.pendingSince), ended = alert.endsAt ? Date.parse(alert.endsAt) : 0;
  const lasted = (ended || Date.now()) - started, pad = Math.max(5 * 60e3, lasted / 2);
  const enough = (r) => ms(r) >= 1.5 * lasted + 60e3;
  batch(() => {
    state.alert.value = alert.incident;
    if (!q) return;
    state.q.value = q;
    state.band.value = rule ? rule.id : "";
    state.only.value = [];
    state.hide.value = [];
    if (ended) between(started - pad, Math.min(Date.now(), ended + pad));
    else {
      state.live.value = true;
      follow(enough(state.range.value) ? state.range.value : ranges.find(enough) || "2d");
    }
    wanted.value = alert.tags;
  });
  if (q) scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

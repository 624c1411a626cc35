// What Explore shows, as its address holds it: a link opens the same graph.
import { batch, computed, effect, signal, untracked } from "/ui/vendor/preact.js";
import { ms } from "/ui/format.js";
import { note, place } from "/ui/router.js";
import { locked } from "/ui/shared.js";

export const fallback = "name,pulse.ingest.points,:eq,:sum";
export const ranges = ["5m", "15m", "30m", "1h", "3h", "6h", "1d", "2d"];
const styles = ["area", "stack"];

export const state = {
  q: signal(""), range: signal(""),
  from: signal(0), to: signal(0), // fixed start and end in ms; 0 follows the clock
  step: signal(""),               // what was chosen; "" leaves it to the server
  live: signal(true), band: signal(""), overlay: signal(""),
  style: signal(""),              // "" draws lines
  only: signal([]), hide: signal([]), // keys of lines: those that alone are shown, or are not
  sort: signal(""),               // the column of the legend, with - from the largest
  alert: signal(""),              // the incident that is explained
};
export const on = computed(() => place.value.path === "/" && !locked.value); // this is the page that is shown
export const linked = signal(""); // an alert of a link, until it is found

const main = () => [state.q.value, state.from.value || state.range.value, state.to.value].join("\n");
let noted = ""; // the question that the address has: another one is a step of the browser's history
const zoomed = []; // the ranges that were zoomed out of sight

function read(search) {
  const p = new URLSearchParams(search);
  batch(() => {
    state.q.value = p.get("q") || fallback;
    state.range.value = ms(p.get("range")) > 0 ? p.get("range") : "30m";
    state.from.value = Number(p.get("s")) || 0;
    state.to.value = Number(p.get("e")) || 0;
    state.step.value = ms(p.get("step")) > 0 ? p.get("step") : "";
    state.live.value = p.get("live") !== "0";
    state.band.value = p.get("band") || p.get("rule") || ""; // links in notifications say rule
    state.overlay.value = p.get("overlay") || "";
    state.style.value = styles.includes(p.get("style")) ? p.get("style") : "";
    state.only.value = p.getAll("only");
    state.hide.value = p.getAll("hide");
    state.sort.value = p.get("sort") || "";
    state.alert.value = linked.value = p.get("alert") || "";
    noted = main();
  });
  while (zoomed.length > 0 && zoomed[zoomed.length - 1].from !== state.from.value) zoomed.pop();
  zoomed.pop(); // what the browser went back to
}

// parameters are those of the address.
export function parameters() {
  const p = new URLSearchParams(), { from, to, range } = state;
  p.set("q", state.q.value);
  if (from.value) { p.set("s", from.value); p.set("e", to.value); } else p.set("range", range.value);
  if (!state.live.value) p.set("live", "0");
  for (const name of ["step", "band", "overlay", "style", "sort", "alert"]) if (state[name].value) p.set(name, state[name].value);
  for (const name of ["only", "hide"]) for (const key of state[name].value) p.append(name, key);
  return p;
}
effect(() => { const { path, search } = place.value; if (path === "/") untracked(() => read(search)); });
effect(() => {
  if (!on.value) return;
  const now = main(), step = now !== noted;
  noted = now;
  note("?" + parameters(), step);
});

export function span() {
  if (state.from.value) return [state.from.value, state.to.value || Date.now()];
  const now = Date.now();
  return [now - ms(state.range.value), now];
}

// ask shows another expression, all lines of it.
export function ask(q) { batch(() => { state.q.value = q; state.only.value = []; state.hide.value = []; }); }

// between shows the time from s to e; follow the last so long, up to now.
export function between(s, e) { batch(() => { state.live.value = false; state.from.value = Math.round(s); state.to.value = Math.round(e); }); }
export function follow(range) { batch(() => { if (state.from.value) state.live.value = true; state.from.value = 0; state.to.value = 0; state.range.value = range; }); }

export function zoom(s, e) {
  zoomed.push({ from: state.from.value, to: state.to.value, range: state.range.value, live: state.live.value });
  between(s, e);
}

// unzoom returns to the range before the last zoom; it tells whether there was one.
export function unzoom() {
  const was = zoomed.pop();
  if (was) batch(() => { for (const [name, value] of Object.entries(was)) state[name].value = value; });
  return Boolean(was);
}

// wider shows more time around what is shown.
export function wider() {
  const [s, e] = span(), half = (e - s) / 2, end = Math.min(Date.now(), e + half);
  if (state.from.value) between(end - 4 * half, end);
  else follow(ranges.find((r) => ms(r) > ms(state.range.value)) || state.range.value);
}

// toggle shows or hides a line; alone, it or all.
export function toggle(key, alone = false) {
  const { only, hide } = state, without = (list) => list.filter((k) => k !== key), flip = (list) => (list.includes(key) ? without(list) : [...list, key]);
  batch(() => {
    if (alone) { only.value = only.value.length === 1 && only.value[0] === key ? [] : [key]; hide.value = []; }
    else if (only.value.length > 0) only.value = flip(only.value);
    else hide.value = flip(hide.value);
  });
}

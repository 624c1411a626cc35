// The graph by keys: from step to step, closer, earlier and later.
import { data } from "/ui/pages/exploredata.js";
import { pinned } from "/ui/pages/exploregraph.js";
import { between, follow, span, state, zoom } from "/ui/pages/explorestate.js";

// step shows the values of the step by steps away from the one that is shown, of the newest first.
export function step(by) {
  const g = data.value, plot = document.querySelector(".chart .plot-over");
  if (!plot || !g?.times.length) return;
  const { times } = g, was = pinned.value, last = times.length - 1, near = was ? times.findIndex((t) => t >= was.t - 1e-6) : -1;
  const i = near < 0 ? last : Math.max(0, Math.min(last, near + by));
  const room = plot.getBoundingClientRect(), outer = plot.closest(".chart").getBoundingClientRect();
  pinned.value = { t: times[i], line: was?.line, x: room.left - outer.left + room.width * (last > 0 ? i / last : 0), y: was?.y ?? 24 };
}

// closer shows half of the time, with what is pinned in the middle, or that of the newest.
export function closer() {
  const [s, e] = span(), quarter = (e - s) / 4, shortest = 2 * (data.value?.step || 1000);
  const middle = pinned.value ? Math.max(s + quarter, Math.min(e - quarter, pinned.value.t * 1000)) : e - quarter;
  if (2 * quarter >= shortest) zoom(middle - quarter, middle + quarter);
}

// shift shows the time by half of its length earlier or later; where now is reached it is followed.
export function shift(by) {
  const [s, e] = span(), half = (e - s) / 2;
  if (by > 0 && e + half >= Date.now()) { if (state.from.value) follow(state.range.value); } else between(s + by * half, e + by * half);
}

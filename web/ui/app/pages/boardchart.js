// A panel's graph, to be read from afar: the line, the same from before, the band, what is out
// of it, and alerts as spans along the top. It is made once and given new steps.
import { clipped, plot, role, runs } from "/ui/plot.js";
import { numbers } from "/ui/format.js";

const least = 40; // steps that the graph is wide at least

// graph draws into el and returns {set(window, spans), redraw, destroy}; onPoint is called with
// the time under the pointer, 0 for none.
export function graph(el, onPoint) {
  let w = null, spans = [];
  const unit = () => Math.max(1, Math.min(3, el.clientHeight / 140));
  const look = () => { // the type grows with the panel
    const k = unit(), size = Math.round(Math.max(11, Math.min(22, el.clientHeight / 14, el.clientWidth / 26)));
    const line = (stroke, width, dash) => ({ stroke: role(stroke), width: width * k, dash: dash?.map((x) => x * k) });
    return { lines: [line("ghost", 1, [6, 4]), line("accent", 0.9, [1.5, 3]), line("text", 1.9), line("bad", 2.9)], font: size, gap: size / 3,
      left: size * 3.6, bottom: size * 1.8, top: 10 * k, right: size * 1.6, spaceX: size * 6, spaceY: size * 3, dot: 7 * k };
  };
  const p = plot(el, {
    look, wide: () => wide(w), tall: () => tall(w), values: numbers,
    time: (ticks, gap) => ticks.map((t) => new Date(t * 1e3).toISOString().slice(11, gap < 60 ? 19 : 16)),
    before: () => { if (w) ground(p, w); }, after: () => { if (w) strip(p, w, spans, unit()); },
    onCursor: ({ cursor }) => onPoint(cursor.i >= 0 && w ? w.time(cursor.i) : 0),
  });
  return {
    set(next, alerts) {
      w = next; spans = alerts;
      const times = Array.from({ length: w.length }, (_, i) => w.time(i) / 1000), out = w.value.map((v, i) => (w.out[i] || (w.out[i + 1] && w.value[i + 1] !== null) ? v : null));
      p.set([times, w.past, w.expected, w.value, out]);
    },
    redraw() { if (w) p.draw(); },
    destroy: p.destroy,
  };
}

// wide is the range of time: the window, or what of it has values.
function wide(w) {
  if (!w || w.length === 0) return [0, 1];
  const first = Math.max(0, w.value.findIndex((v) => v !== null)), count = Math.max(w.length - first, Math.min(least, w.most));
  return [(w.last - (count - 1) * w.step) / 1000, w.last / 1000];
}

// tall is the range of values; a band that is far wider than they are is cut.
function tall(w) {
  if (!w) return [0, 1];
  let low = Infinity, high = -Infinity, below = Infinity, above = -Infinity;
  for (const side of [w.value, w.expected, w.past]) for (const v of side) if (v !== null) { if (v < low) low = v; if (v > high) high = v; }
  for (const v of w.lower) if (v !== null && v < below) below = v;
  for (const v of w.upper) if (v !== null && v > above) above = v;
  if (low > high) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.6, zero = low >= 0;
  if (below < low) low = Math.max(below, low - room);
  if (above > high) high = Math.min(above, high + room);
  if (zero && low < 0.6 * high) low = 0;
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  return [low === 0 ? 0 : low - pad, high + 2 * pad];
}

const across = ({ box, x }) => (t) => Math.max(box.left, Math.min(box.left + box.width, x(t / 1000)));

// ground fills the band, to the edge of the picture on a side without a bound, and what is out of it.
function ground(p, w) {
  clipped(p, () => {
    const { ctx, box: { top, height } } = p, px = across(p);
    const py = (v, none) => (v === null ? none : Math.max(top, Math.min(top + height, p.y(v))));
    ctx.fillStyle = role("band");
    ctx.strokeStyle = role("band-edge");
    ctx.lineWidth = devicePixelRatio;
    runs(w.value.map((_, i) => w.lower[i] !== null || w.upper[i] !== null), (i, j) => {
      ctx.beginPath();
      for (let n = i; n <= j; n++) ctx.lineTo(px(w.time(n)), py(w.upper[n], top));
      for (let n = j; n >= i; n--) ctx.lineTo(px(w.time(n)), py(w.lower[n], top + height));
      ctx.fill();
      ctx.stroke();
    });
    ctx.fillStyle = role("out");
    for (const { from, to } of w.stretches()) {
      const x0 = px(from), x1 = px(to);
      ctx.fillRect(x0, top, Math.max(2, x1 - x0), height);
    }
  });
}

// strip marks what was out of band along the bottom, and alerts along the top with their state.
function strip(p, w, spans, k) {
  const { ctx, box: { left, top, height } } = p, px = across(p), tall = 4 * k * devicePixelRatio;
  ctx.fillStyle = role("bad");
  for (const { from, to } of w.stretches()) ctx.fillRect(px(from), top + height - tall, Math.max(tall, px(to) - px(from)), tall);
  const floor = w.time(0);
  for (const { from, to, state } of spans) {
    if (to < floor) continue;
    const x0 = px(from), x1 = Math.max(px(to), x0 + tall), on = state === "firing", thick = on ? 1.6 * tall : tall;
    ctx.fillStyle = role(on ? "bad" : state === "resolved" ? "ghost" : "warn");
    ctx.fillRect(x0, top - thick / 2, x1 - x0, thick);
    if (x0 > left) { // where it began
      ctx.fillRect(x0 - devicePixelRatio / 2, top, devicePixelRatio * 1.5, height);
      ctx.beginPath();
      ctx.moveTo(x0 - 2 * tall, top - thick / 2);
      ctx.lineTo(x0 + 2 * tall, top - thick / 2);
      ctx.lineTo(x0, top + 2.4 * tall);
      ctx.fill();
    }
  }
}

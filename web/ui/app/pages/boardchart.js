// A panel's graph, to be read from afar: the line, the same from before, the band, what is out
// of it, and alerts as spans along the top. It is made once and given new steps.
import uPlot from "/ui/vendor/uplot.js";
import { number } from "/ui/format.js";

const role = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const least = 40; // steps that the graph is wide at least

// graph draws into el and returns {set(window, spans), redraw, destroy}; onPoint is called with
// the time under the pointer, 0 for none.
export function graph(el, onPoint) {
  let w = null, spans = [], u = null, size = 0, data = null;
  const unit = () => Math.max(1, Math.min(3, el.clientHeight / 140));
  const fit = () => Math.round(Math.max(11, Math.min(22, el.clientHeight / 14, el.clientWidth / 26)));
  const make = () => {
    size = fit();
    const k = unit(), line = (stroke, width, dash) => ({ stroke: () => role(stroke), width: width * k, dash: dash?.map((x) => x * k), points: { show: false } });
    const axis = { stroke: () => role("soft"), grid: { stroke: () => role("grid"), width: 1 }, ticks: { show: false }, gap: size / 3, font: size + "px system-ui, sans-serif" };
    u = new uPlot({
      width: el.clientWidth, height: el.clientHeight, legend: { show: false }, padding: [10 * k, size * 1.6, 0, 0],
      tzDate: (s) => uPlot.tzDate(new Date(s * 1e3), "UTC"),
      series: [{}, line("ghost", 1, [6, 4]), line("accent", 0.9, [1.5, 3]), line("text", 1.9), line("bad", 2.9)],
      scales: { x: { range: () => wide(w) }, y: { range: () => tall(w) } },
      axes: [{ ...axis, size: size * 1.8, space: size * 6, values: (_, ticks, __, ___, every) => ticks.map((t) => new Date(t * 1e3).toISOString().slice(11, every < 60 ? 19 : 16)) },
        { ...axis, size: size * 3.6, space: size * 3, values: (_, ticks) => ticks.map((v) => (v === null ? "" : number(v))) }],
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 * k } },
      hooks: { drawClear: [(x) => w && ground(x, w, k)], draw: [(x) => w && strip(x, w, spans, k)],
        setCursor: [(x) => onPoint(x.cursor.left >= 0 && x.cursor.idx !== null && w ? w.time(x.cursor.idx) : 0)] },
    }, data, el);
  };
  const sized = new ResizeObserver(() => {
    if (!u || el.clientWidth === 0) return;
    if (fit() === size) { u.setSize({ width: el.clientWidth, height: el.clientHeight }); return; }
    u.destroy();
    make(); // the type grows with it
  });
  sized.observe(el);
  return {
    set(next, alerts) {
      w = next; spans = alerts;
      const times = Array.from({ length: w.length }, (_, i) => w.time(i) / 1000), out = w.value.map((v, i) => (w.out[i] || (w.out[i + 1] && w.value[i + 1] !== null) ? v : null));
      data = [times, w.past, w.expected, w.value, out];
      if (u) u.setData(data); else if (w.length > 0 && el.clientWidth > 0) make();
    },
    redraw: () => u?.redraw(false),
    destroy() { sized.disconnect(); u?.destroy(); u = null; },
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

// runs calls f with the first and the last index of each run of true marks.
function runs(marks, f) {
  for (let i = 0; i < marks.length; i++) {
    if (!marks[i]) continue;
    let j = i;
    while (j + 1 < marks.length && marks[j + 1]) j++;
    f(i, j);
    i = j;
  }
}

const across = (u, w) => (t) => Math.max(u.bbox.left, Math.min(u.bbox.left + u.bbox.width, u.valToPos(t / 1000, "x", true)));

// ground fills the band, to the edge of the picture on a side without a bound, and what is out of it.
function ground(u, w, k) {
  const { left, top, width, height } = u.bbox, px = across(u, w);
  const py = (v, none) => (v === null ? none : Math.max(top, Math.min(top + height, u.valToPos(v, "y", true))));
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(left, top, width, height);
  u.ctx.clip();
  u.ctx.fillStyle = role("band");
  u.ctx.strokeStyle = role("band-edge");
  u.ctx.lineWidth = devicePixelRatio;
  runs(w.value.map((_, i) => w.lower[i] !== null || w.upper[i] !== null), (i, j) => {
    u.ctx.beginPath();
    for (let n = i; n <= j; n++) u.ctx.lineTo(px(w.time(n)), py(w.upper[n], top));
    for (let n = j; n >= i; n--) u.ctx.lineTo(px(w.time(n)), py(w.lower[n], top + height));
    u.ctx.fill();
    u.ctx.stroke();
  });
  u.ctx.fillStyle = role("out");
  for (const { from, to } of w.stretches()) {
    const x0 = px(from), x1 = px(to);
    u.ctx.fillRect(x0, top, Math.max(2, x1 - x0), height);
  }
  u.ctx.restore();
}

// strip marks what was out of band along the bottom, and alerts along the top with their state.
function strip(u, w, spans, k) {
  const { left, top, height } = u.bbox, px = across(u, w), tall = 4 * k * devicePixelRatio;
  u.ctx.save();
  u.ctx.fillStyle = role("bad");
  for (const { from, to } of w.stretches()) u.ctx.fillRect(px(from), top + height - tall, Math.max(tall, px(to) - px(from)), tall);
  const floor = w.time(0);
  for (const { from, to, state } of spans) {
    if (to < floor) continue;
    const x0 = px(from), x1 = Math.max(px(to), x0 + tall), on = state === "firing", thick = on ? 1.6 * tall : tall;
    u.ctx.fillStyle = role(on ? "bad" : state === "resolved" ? "ghost" : "warn");
    u.ctx.fillRect(x0, top - thick / 2, x1 - x0, thick);
    if (x0 > left) { // where it began
      u.ctx.fillRect(x0 - devicePixelRatio / 2, top, devicePixelRatio * 1.5, height);
      u.ctx.beginPath();
      u.ctx.moveTo(x0 - 2 * tall, top - thick / 2);
      u.ctx.lineTo(x0 + 2 * tall, top - thick / 2);
      u.ctx.lineTo(x0, top + 2.4 * tall);
      u.ctx.fill();
    }
  }
  u.ctx.restore();
}

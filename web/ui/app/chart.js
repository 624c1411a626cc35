// The live graph: lines, the same lines from the past, and a rule's expected band, on uPlot.
import uPlot from "/ui/vendor/uplot.js";
import { number, time } from "/ui/format.js";

// palette is safe for the common kinds of colour blindness (after Okabe and Ito), with a light and a dark set.
const palettes = {
  light: ["#0b62d6", "#d55e00", "#00795b", "#a3528a", "#7a6a00", "#0086b3", "#c4232f", "#5b5fc7", "#4d7a1f", "#8a4b08"],
  dark: ["#6aa9ff", "#ff9d4d", "#3ecf9b", "#e08fc4", "#e2cf4a", "#58c7ee", "#ff7b7f", "#a6a9ff", "#a3cf6b", "#d9a066"],
};

const many = 20; // more lines than that are thin, which is also what is drawn quickly

export const dark = () => document.documentElement.dataset.theme === "dark";
export const color = (i) => { const p = palettes[dark() ? "dark" : "light"]; return p[i % p.length]; };
const role = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// chart draws model into el and returns {update, destroy}; update draws a model of the same
// lines with other values. The model:
//   times    seconds, ascending
//   lines    [{label, values, hidden}]
//   past     [{label, values}] aligned with lines, drawn dashed; may be empty
//   band     {expected, lower, upper, out} or null, arrays as long as times
//   spans    [{from, to}] in ms, marked along the top; may be absent
//   fill     how lines are filled, and where they are drawn then; may be absent
//   pin      seconds, marked; nothing follows the pointer meanwhile; may be absent
//   onZoom   called with (startMs, endMs) after a drag
//   onPin    called with (seconds, index of the nearest line, x, y) after a click; may be absent
//   onBack   called after a double click; may be absent
export function chart(el, tip, model) {
  const series = [{}], bands = [];
  if (model.band) {
    const edge = { width: 0.75, points: { show: false }, stroke: role("band-edge") };
    series.push({ label: "upper", ...edge }, { label: "lower", ...edge }, { label: "expected", stroke: role("accent"), width: 1.25, dash: [2, 4], points: { show: false } });
    bands.push({ series: [1, 2], fill: role("band") });
  }
  model.past.forEach((p, i) => {
    series.push({ label: p.label, stroke: color(i) + "90", width: 1, dash: [6, 4], points: { show: false }, show: !model.lines[i]?.hidden });
  });
  const width = model.lines.length > many ? 1 : 1.75;
  model.lines.forEach((l, i) => {
    series.push({ label: l.label, stroke: color(i), width, points: { show: (u, j) => single(u.data[j]) }, show: !l.hidden });
  });
  const axis = { stroke: role("soft"), grid: { stroke: role("grid"), width: 1 }, ticks: { stroke: role("grid"), width: 1 }, font: "12px system-ui, sans-serif" };
  const plot = new uPlot({
    width: el.clientWidth, height: el.clientHeight, series, bands, legend: { show: false }, padding: [null, 28, null, null], // room for the last label
    tzDate: (s) => uPlot.tzDate(new Date(s * 1e3), "UTC"),
    axes: [{ ...axis, space: (u) => (u.width < 500 ? 48 : 64), values: (_, ticks, __, ___, distance) => clock(ticks, distance) }, { ...axis, size: 62, values: (_, ticks) => ticks.map((v) => (v === null ? "" : number(v))) }],
    scales: model.fill ? { y: { range: { min: { pad: 0.1, soft: 0, mode: 1 }, max: { pad: 0.1, soft: 0, mode: 1 } } } } : {},
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 }, bind: { dblclick: () => () => { model.onBack?.(); } } },
    hooks: {
      drawClear: [(u) => { drawOut(u, model); model.fill?.draw(u); drawSpans(u, model); }],
      draw: [(u) => drawPin(u, model)],
      setCursor: [(u) => showTip(u, tip, model)],
      setSelect: [(u) => {
        if (u.select.width > 4) {
          model.onZoom(Math.round(u.posToVal(u.select.left, "x") * 1000), Math.round(u.posToVal(u.select.left + u.select.width, "x") * 1000));
        }
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }],
    },
  }, columns(model), el);
  let down = 0; // where the pointer was pressed: a click that moved is a drag
  plot.over.addEventListener("mousedown", (e) => { down = e.clientX; });
  plot.over.addEventListener("click", (e) => {
    const { idx, left, top } = plot.cursor;
    if (model.onPin && typeof idx === "number" && Math.abs(e.clientX - down) <= 4) model.onPin(model.times[idx], nearest(plot, model), left + plot.over.offsetLeft, top + plot.over.offsetTop);
  });
  const resize = new ResizeObserver(() => {
    const width = el.clientWidth, height = el.clientHeight;
    if (width !== plot.width || height !== plot.height) plot.setSize({ width, height }); // it is told of the first size, too
  });
  resize.observe(el);
  return {
    update(next) { model = next; plot.setData(columns(model)); },
    destroy() { resize.disconnect(); plot.destroy(); tip.hidden = true; },
  };
}

// columns are what uPlot draws of a model.
function columns({ times, lines, past, band, fill }) {
  const data = [times];
  if (band) {
    const { expected, lower, upper } = band, orExpected = (side) => side.map((v, i) => v ?? expected[i]); // a side without a bound
    data.push(orExpected(upper), orExpected(lower), expected);
  }
  return [...data, ...past.map((p) => p.values), ...lines.map((l, i) => fill?.tops[i] || l.values)];
}

// nearest is the index of the line that is drawn nearest to the pointer, -1 when there is none.
function nearest(u, { lines, fill }) {
  let best = -1, least = Infinity;
  lines.forEach((l, j) => {
    const v = (fill?.tops[j] || l.values)[u.cursor.idx];
    if (l.hidden || v === null || v === undefined) return;
    const far = Math.abs(u.valToPos(v, "y") - u.cursor.top);
    if (far < least) [best, least] = [j, far];
  });
  return best;
}

// clock labels times in UTC on a 24-hour clock; the first label of a day has the date.
function clock(ticks, distance) {
  let day = "";
  return ticks.map((s) => {
    const iso = new Date(s * 1000).toISOString(), today = iso.slice(0, 10);
    const label = distance >= 86400 ? today : distance >= 60 ? iso.slice(11, 16) : distance >= 1 ? iso.slice(11, 19) : iso.slice(11, 23);
    const head = today !== day && distance < 86400 ? "\n" + today : "";
    day = today;
    return label + head;
  });
}

// single reports whether no two neighbouring values would make a visible line.
function single(values) {
  for (let i = 1; i < values.length; i++) if (values[i] !== null && values[i - 1] !== null) return false;
  return true;
}

// drawOut marks the steps that are out of band, behind everything else.
function drawOut(u, model) {
  const out = model.band?.out;
  if (!out) return;
  const { left, top, width, height } = u.bbox;
  u.ctx.save();
  u.ctx.fillStyle = role("out");
  const half = model.times.length > 1 ? (model.times[1] - model.times[0]) / 2 : 1;
  for (let i = 0; i < out.length; i++) {
    if (!out[i]) continue;
    let j = i;
    while (j + 1 < out.length && out[j + 1]) j++;
    const x0 = Math.max(left, u.valToPos(model.times[i] - half, "x", true));
    const x1 = Math.min(left + width, u.valToPos(model.times[j] + half, "x", true));
    if (x1 > x0) u.ctx.fillRect(x0, top, x1 - x0, height);
    i = j;
  }
  u.ctx.restore();
}

// drawPin marks the time that is pinned.
function drawPin(u, { pin }) {
  if (!pin) return;
  u.ctx.fillStyle = role("accent");
  u.ctx.fillRect(u.valToPos(pin, "x", true), u.bbox.top, devicePixelRatio, u.bbox.height);
}

// drawSpans marks times along the top, with a line where each begins.
function drawSpans(u, { spans = [] }) {
  const { left, top, width, height } = u.bbox, at = (ms) => Math.max(left, Math.min(left + width, u.valToPos(ms / 1000, "x", true)));
  u.ctx.fillStyle = role("bad");
  for (const { from, to } of spans) {
    u.ctx.fillRect(at(from), top, Math.max(2, at(to) - at(from)), 3 * devicePixelRatio);
    u.ctx.fillRect(at(from), top, devicePixelRatio, height);
  }
}

// showTip lists the values under the cursor, largest first. Text reaches the page as text only.
function showTip(u, tip, model) {
  const i = u.cursor.idx;
  if (i === null || i === undefined || u.cursor.left < 0 || model.pin) { tip.hidden = true; return; }
  const near = nearest(u, model);
  const rows = model.lines.map((l, j) => ({ near: j === near, text: l.label, v: l.values[i], then: model.past[j]?.values[i], c: color(j), hidden: l.hidden }))
    .filter((r) => !r.hidden && r.v !== null && r.v !== undefined).sort((a, b) => b.v - a.v);
  tip.replaceChildren();
  const head = document.createElement("b");
  head.textContent = time(model.times[i] * 1000) + " UTC";
  tip.append(head);
  const add = (c, text, value, bold) => {
    const row = document.createElement("div"), dot = document.createElement("span"), name = document.createElement("span"), val = document.createElement("i");
    dot.className = "dot"; dot.style.background = c;
    name.textContent = text; val.textContent = value;
    row.className = bold ? "near" : "";
    row.append(dot, name, val); tip.append(row);
  };
  for (const r of rows.slice(0, 12)) add(r.c, r.text, number(r.v) + (r.then === null || r.then === undefined ? "" : "  (then " + number(r.then) + ")"), r.near && rows.length > 1);
  if (rows.length > 12) add("transparent", "… " + (rows.length - 12) + " more", "");
  if (model.band && model.band.expected[i] !== null) {
    add(role("accent"), model.band.out[i] ? "expected (out of band)" : "expected", number(model.band.expected[i]) + "  [" + number(model.band.lower[i]) + ", " + number(model.band.upper[i]) + "]");
  }
  tip.hidden = false;
  const w = tip.offsetWidth, x = u.cursor.left + u.bbox.left / devicePixelRatio;
  tip.style.left = (x + w + 24 > u.width ? x - w - 12 : x + 14) + "px";
  tip.style.top = Math.max(4, Math.min(u.cursor.top, u.height - tip.offsetHeight - 8)) + "px";
}

// The live graph: lines, the same lines from the past, and a rule's expected band.
import { area, clipped, plot, role, runs } from "/ui/plot.js";
import { number, numbers, time } from "/ui/format.js";

// palette is safe for the common kinds of colour blindness (after Okabe and Ito), with a light and a dark set.
const palettes = {
  light: ["#0b62d6", "#d55e00", "#00795b", "#a3528a", "#7a6a00", "#0086b3", "#c4232f", "#5b5fc7", "#4d7a1f", "#8a4b08"],
  dark: ["#6aa9ff", "#ff9d4d", "#3ecf9b", "#e08fc4", "#e2cf4a", "#58c7ee", "#ff7b7f", "#a6a9ff", "#a3cf6b", "#d9a066"],
};

const many = 20; // more lines than that are thin, which is also what is drawn quickly

export const dark = () => document.documentElement.dataset.theme === "dark";
export const color = (i) => { const p = palettes[dark() ? "dark" : "light"]; return p[i % p.length]; };

// chart draws model into el and returns {update, destroy}; update draws another model, with what
// the pointer is doing going on. The model:
//   times    seconds, ascending
//   lines    [{label, values, hidden}]
//   past     [{label, values, tops}] aligned with lines, drawn dashed, at tops if there are any; may be empty
//   band     {expected, lower, upper, out} or null, arrays as long as times
//   spans    [{from, to}] in ms, marked along the top; may be absent
//   fill     how lines are filled, and where they are drawn then; may be absent
//   pin      seconds, marked; nothing follows the pointer meanwhile; may be absent
//   onZoom   called with (startMs, endMs) after a drag
//   onPin    called with (seconds, index of the nearest line, x, y) after a click; may be absent
//   onBack   called after a double click; may be absent
export function chart(el, tip, model) {
  const p = plot(el, {
    look: () => ({ lines: strokes(model), font: 12, left: 62, bottom: 46, top: 12, right: 28, // room for the last label
      spaceX: el.clientWidth < 500 ? 60 : 64, spaceY: 30, gap: 4, ticks: true, dot: 7, level: true }),
    time: clock, values: numbers, zero: () => model.fill,
    before() {
      drawOut(p, model);
      clipped(p, () => { if (model.band) { const [upper, lower] = edges(model.band); area(p, model.times, upper, lower, role("band")); } model.fill?.draw(p); });
      drawSpans(p, model);
    },
    after: () => drawPin(p, model),
    onCursor: () => showTip(p, tip, model),
    onSelect: (s, e) => model.onZoom(Math.round(s * 1000), Math.round(e * 1000)),
    onClick: ({ cursor: { i, left, top }, over }) => model.onPin?.(model.times[i], nearest(p, model), left + over.offsetLeft, top + over.offsetTop),
    onBack: () => model.onBack?.(),
  });
  const update = (next) => { model = next; p.set(columns(model)); };
  update(model);
  return { update, destroy() { p.destroy(); tip.hidden = true; } };
}

// columns are what is drawn of a model, and strokes how.
function columns({ times, lines, past, band, fill }) {
  return [times, ...(band ? [...edges(band), band.expected] : []), ...past.map((p) => p.tops || p.values), ...lines.map((l, i) => fill?.tops[i] || l.values)];
}
function strokes({ lines, past, band }) {
  const edge = { stroke: role("band-edge"), width: 0.75 }, width = lines.length > many ? 1 : 1.75;
  return [...(band ? [edge, edge, { stroke: role("accent"), width: 1.25, dash: [2, 4] }] : []),
    ...past.map((_, i) => ({ stroke: color(i) + "90", width: 1, dash: [6, 4], hidden: lines[i]?.hidden })),
    ...lines.map((l, i) => ({ stroke: color(i), width, hidden: l.hidden, single: true }))];
}

// edges are the upper and the lower one of a band; a side without a bound is what was expected.
const edges = ({ expected, lower, upper }) => [upper, lower].map((side) => side.map((v, i) => v ?? expected[i]));

// nearest is the index of the line that is drawn nearest to the pointer, -1 when there is none.
function nearest({ cursor, box, y }, { lines, fill }) {
  const top = box.top + cursor.top * devicePixelRatio;
  let best = -1, least = Infinity;
  lines.forEach((l, j) => {
    const v = (fill?.tops[j] || l.values)[cursor.i];
    if (l.hidden || v === null || v === undefined) return;
    const far = Math.abs(y(v) - top);
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

// drawOut marks the steps that are out of band, behind everything else.
function drawOut({ ctx, box, x }, { band, times }) {
  const half = times.length > 1 ? (times[1] - times[0]) / 2 : 1;
  ctx.fillStyle = role("out");
  runs(band?.out || [], (i, j) => {
    const x0 = Math.max(box.left, x(times[i] - half)), x1 = Math.min(box.left + box.width, x(times[j] + half));
    if (x1 > x0) ctx.fillRect(x0, box.top, x1 - x0, box.height);
  });
}

// drawPin marks the time that is pinned.
function drawPin({ ctx, box, x }, { pin }) {
  if (!pin) return;
  ctx.fillStyle = role("accent");
  ctx.fillRect(x(pin), box.top, devicePixelRatio, box.height);
}

// drawSpans marks times along the top, with a line where each begins.
function drawSpans({ ctx, box, x }, { spans = [] }) {
  const at = (ms) => Math.max(box.left, Math.min(box.left + box.width, x(ms / 1000)));
  ctx.fillStyle = role("bad");
  for (const { from, to } of spans) {
    ctx.fillRect(at(from), box.top, Math.max(2, at(to) - at(from)), 3 * devicePixelRatio);
    if (x(from / 1000) >= box.left) ctx.fillRect(at(from), box.top, devicePixelRatio, box.height);
  }
}

// showTip lists the values under the cursor, largest first. Text reaches the page as text only.
function showTip(u, tip, model) {
  const i = u.cursor.i;
  if (i < 0 || model.pin) { tip.hidden = true; return; }
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
  const w = tip.offsetWidth, x = u.cursor.left + u.box.left / devicePixelRatio;
  tip.style.left = (x + w + 24 > u.width ? x - w - 12 : x + 14) + "px";
  tip.style.top = Math.max(4, Math.min(u.cursor.top, u.height - tip.offsetHeight - 8)) + "px";
}

// A plot: lines over time on a canvas, with axes, a cursor, and the choice of a time by dragging.

const times = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const many = 20; // more lines than that have no dot each under the pointer
const still = 4; // px that a pointer may move in a click

export const role = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// plot draws into el, which has a size of its own, and returns
//
//	set(data)        shows columns: times in seconds, ascending, and one per line; null is a gap
//	draw()           draws them again
//	destroy()
//	ctx, box         the canvas, and where the lines are in it: {left, top, width, height} in its pixels
//	width, height    of el, and over, the element above the lines
//	x(t), y(v)       pixels of the canvas
//	cursor           {i, left, top}: the index of the time next to the pointer, -1 when it is
//	                 elsewhere, and where in over that is
//
// options:
//
//	look()           how it looks, asked at every drawing: {lines, font, left, bottom, top, right,
//	                 spaceX, spaceY, gap, ticks, dot, level}; a line is {stroke, width, dash, hidden,
//	                 single}, where single shows values without a neighbour as dots; sizes in px
//	time(ticks, gap) labels of times in seconds that are gap apart, and values(list) of values
//	wide(), tall()   the ranges [from, to] of time and of values; those of the data otherwise, with
//	zero             zero among the values
//	before(p)        draws behind the lines, and after(p) in front of them
//	onCursor(p)      the pointer moved, or what is under it
//	onSelect(s, e)   a drag chose a time, in seconds
//	onClick(p)       a click that was no drag, and onBack() a second one
export function plot(el, options) {
  const make = (tag, name, into) => into.appendChild(Object.assign(document.createElement(tag), { className: name }));
  const root = make("div", "plotted", el), canvas = make("canvas", "", root), over = make("div", "plot-over", root), ctx = canvas.getContext("2d");
  const upright = make("i", "plot-x", over), level = make("i", "plot-y", over), chosen = make("i", "plot-chosen", over), dots = [], gone = new AbortController();
  let data = [[]], look = options.look(), wide = [0, 1], tall = [0, 1];
  const p = { ctx, over, width: 0, height: 0, box: { left: 0, top: 0, width: 1, height: 1 }, cursor: { i: -1, left: -1, top: -1 } }, { box, cursor } = p;
  p.x = (t) => box.left + (t - wide[0]) / (wide[1] - wide[0]) * box.width;
  p.y = (v) => box.top + (tall[1] - v) / (tall[1] - tall[0]) * box.height;

  // place fits the canvas to the element, and the box of the lines into it.
  function place() {
    const k = devicePixelRatio, px = (v) => Math.round(v * k);
    p.width = el.clientWidth; p.height = el.clientHeight;
    const w = px(p.width), h = px(p.height);
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; } else ctx.clearRect(0, 0, w, h);
    Object.assign(box, { left: px(look.left), top: px(look.top), width: Math.max(1, px(p.width - look.left - look.right)), height: Math.max(1, px(p.height - look.top - look.bottom)) });
    Object.assign(over.style, { left: box.left / k + "px", top: box.top / k + "px", width: box.width / k + "px", height: box.height / k + "px" });
  }

  p.draw = () => {
    if (el.clientWidth === 0 || el.clientHeight === 0) return;
    look = options.look();
    place();
    if (data[0].length === 0) return;
    wide = options.wide?.() || across(data[0]);
    tall = options.tall?.() || upDown(data, look.lines, options.zero?.());
    options.before?.(p);
    axes();
    const at = Float64Array.from(data[0], p.x);
    clipped(p, () => look.lines.forEach((line, j) => { if (!line.hidden) trace(line, at, data[j + 1]); }));
    options.after?.(p);
  };

  function trace({ stroke, width, dash, single }, at, values) {
    const k = devicePixelRatio, unit = box.height / (tall[1] - tall[0]), zero = box.top + tall[1] * unit, n = at.length, alone = [];
    ctx.strokeStyle = ctx.fillStyle = stroke;
    ctx.lineWidth = width * k;
    ctx.lineJoin = "bevel";
    ctx.setLineDash(dash ? dash.map((x) => x * k) : []);
    ctx.beginPath();
    const clear = ctx.strokeStyle[0] !== "#"; // where two parts of it meet it would be darker
    const most = dash || clear || ctx.lineWidth <= 1 ? Infinity : 100; // points: the outline of a wide line takes the painter longer in one
    for (let i = 0, drawing = false, points = 0; i < n; i++) {
      const v = values[i];
      if (v === null || v === undefined) { drawing = false; continue; }
      if (drawing) {
        ctx.lineTo(at[i], zero - v * unit);
        if (++points === most) { // goes on from one point before, for the corner
          ctx.stroke();
          ctx.beginPath();
          ctx.moveTo(at[i - 1], zero - values[i - 1] * unit);
          ctx.lineTo(at[i], zero - v * unit);
          points = 0;
        }
      } else {
        ctx.moveTo(at[i], zero - v * unit);
        drawing = true;
        if (single && (values[i + 1] ?? null) === null) alone.push(i);
      }
    }
    ctx.stroke();
    for (const i of alone) {
      ctx.beginPath();
      ctx.arc(at[i], zero - values[i] * unit, (width + 1.5) * k, 0, 2 * Math.PI);
      ctx.fill();
    }
  }

  function axes() {
    const k = devicePixelRatio, grid = role("grid"), tick = look.ticks ? Math.round(8 * k) : 0, away = tick + look.gap * k, high = look.font * k;
    const bottom = box.top + box.height, across = timeTicks(wide, look.spaceX * k / box.width), up = valueTicks(tall, look.spaceY * k / box.height);
    ctx.fillStyle = grid;
    const thin = Math.max(1, Math.round(k));
    for (const t of across.at) ctx.fillRect(Math.round(p.x(t)), box.top, thin, box.height + tick);
    for (const v of up) ctx.fillRect(box.left - tick, Math.round(p.y(v)), box.width + tick, thin);
    ctx.fillStyle = role("soft");
    ctx.font = high + "px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    options.time(across.at, across.gap).forEach((text, i) => text.split("\n").forEach((line, n) => ctx.fillText(line, p.x(across.at[i]), bottom + away + n * 1.25 * high)));
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    options.values(up).forEach((text, i) => ctx.fillText(text, box.left - away, p.y(up[i])));
  }

  // hover shows what is under the pointer, and tells of it.
  function hover() {
    const k = devicePixelRatio, on = cursor.left >= 0 && data[0].length > 0;
    cursor.i = on ? nearest(data[0], wide[0] + cursor.left * k / box.width * (wide[1] - wide[0])) : -1;
    upright.hidden = !on;
    level.hidden = !on || !look.level;
    upright.style.transform = "translateX(" + cursor.left + "px)";
    level.style.transform = "translateY(" + cursor.top + "px)";
    let n = 0;
    if (on && look.lines.filter((l) => !l.hidden).length <= many) {
      look.lines.forEach((line, j) => {
        const v = data[j + 1][cursor.i];
        if (line.hidden || v === null || v === undefined) return;
        const dot = (dots[n++] ||= make("i", "plot-dot", over)), x = (p.x(data[0][cursor.i]) - box.left) / k, y = (p.y(v) - box.top) / k;
        dot.hidden = !(y >= 0 && y <= box.height / k);
        Object.assign(dot.style, { width: look.dot + "px", height: look.dot + "px", background: line.stroke, transform: "translate(" + (x - look.dot / 2) + "px, " + (y - look.dot / 2) + "px)" });
      });
    }
    for (; n < dots.length; n++) dots[n].hidden = true;
    options.onCursor?.(p);
  }

  let pressed = null, drags = false; // where the button went down, and whether the pointer has moved since
  const heed = (target, type, f) => target.addEventListener(type, f, { signal: gone.signal });
  const within = (e) => { const r = over.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top, r.width]; };
  const leave = () => { cursor.left = cursor.top = -1; hover(); };
  heed(over, "mousemove", (e) => {
    const [x, y, w] = within(e);
    cursor.left = Math.max(0, Math.min(w, x)); cursor.top = Math.max(0, y);
    hover();
  });
  heed(over, "mouseleave", leave);
  heed(over, "mousedown", (e) => { if (e.button === 0) { pressed = within(e)[0]; drags = false; } });
  heed(document, "mousemove", (e) => {
    if (pressed === null) return;
    const [x, , w] = within(e), to = Math.max(0, Math.min(w, x));
    drags ||= Math.abs(to - pressed) > still;
    chosen.hidden = !drags || !options.onSelect;
    Object.assign(chosen.style, { left: Math.min(to, pressed) + "px", width: Math.abs(to - pressed) + "px" });
  });
  heed(document, "mouseup", (e) => {
    if (pressed === null) return;
    const [x, , w] = within(e), t = (at) => wide[0] + Math.max(0, Math.min(w, at)) / w * (wide[1] - wide[0]), from = pressed;
    pressed = null;
    chosen.hidden = true;
    if (drags && Math.abs(x - from) > still) options.onSelect?.(t(Math.min(from, x)), t(Math.max(from, x))); // who comes back has thought better of it
  });
  heed(over, "click", () => { if (!drags && cursor.i >= 0) options.onClick?.(p); });
  heed(over, "dblclick", () => options.onBack?.());

  p.set = (next) => {
    data = next;
    p.draw();
    if (cursor.left >= 0) hover();
  };
  p.destroy = () => { resized.disconnect(); gone.abort(); root.remove(); };
  chosen.hidden = upright.hidden = level.hidden = true;
  const resized = new ResizeObserver(() => { if (el.clientWidth !== p.width || el.clientHeight !== p.height) p.draw(); }); // it is told of the first size, too
  resized.observe(el);
  const sharper = () => matchMedia("(resolution: " + devicePixelRatio + "dppx)").addEventListener("change", () => { p.draw(); sharper(); }, { once: true, signal: gone.signal }); // on another screen
  sharper();
  return p;
}

// runs calls f with the first and the last index of each run of equal, true marks,
// and with the mark.
export function runs(marks, f) {
  for (let i = 0; i < marks.length; i++) {
    if (!marks[i]) continue;
    let j = i;
    while (j + 1 < marks.length && marks[j + 1] === marks[i]) j++;
    f(i, j, marks[i]);
    i = j;
  }
}

// area fills every run of values between its base and its top.
export function area(p, times, tops, bases, paint) {
  const half = devicePixelRatio, { ctx, x, y } = p;
  ctx.fillStyle = paint;
  runs(tops.map((v, i) => (v ?? null) !== null && (bases[i] ?? null) !== null), (i, end) => {
    ctx.beginPath();
    if (end === i) ctx.rect(x(times[i]) - half, Math.min(y(tops[i]), y(bases[i])), 2 * half, Math.abs(y(tops[i]) - y(bases[i])));
    else {
      for (let k = i; k <= end; k++) ctx.lineTo(x(times[k]), y(tops[k]));
      for (let k = end; k >= i; k--) ctx.lineTo(x(times[k]), y(bases[k]));
    }
    ctx.fill();
  });
}

// clipped calls f with the canvas cut to the box of the lines.
export function clipped({ ctx, box }, f) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left, box.top, box.width, box.height);
  ctx.clip();
  f();
  ctx.restore();
}

// across is the range of times.
function across(list) {
  if (list.length === 0) return [0, 1];
  const from = list[0], to = list[list.length - 1];
  return to > from ? [from, to] : [from - 30, to + 30];
}

// upDown is the range of the values that are shown, with some room, rounded so that it stays
// for a while when values come and go.
function upDown(data, lines, zero) {
  let low = zero ? 0 : Infinity, high = zero ? 0 : -Infinity;
  lines.forEach((line, j) => {
    if (line.hidden) return;
    for (const v of data[j + 1]) if (v !== null && v !== undefined) { if (v < low) low = v; if (v > high) high = v; }
  });
  if (low > high || (low === 0 && high === 0)) return [0, 1];
  const size = high - low || Math.abs(high), unit = 10 ** Math.floor(Math.log10(size) - 1), from = low - size / 10, to = high + size / 10;
  return [low >= 0 && from < 0 ? 0 : Math.floor(from / unit) * unit, high <= 0 && to > 0 ? 0 : Math.ceil(to / unit) * unit];
}

// timeTicks are the times in a range that are labelled, at least share of it apart: {at, gap}.
function timeTicks([from, to], share) {
  const least = (to - from) * share, gap = times.find((s) => s >= least) || Math.ceil(least / 86400) * 86400;
  return { gap, at: multiples(from, to, gap).map((t) => Math.round(t * 1000) / 1000) };
}

function valueTicks([from, to], share) {
  const least = (to - from) * share, unit = 10 ** Math.floor(Math.log10(least));
  return multiples(from, to, unit * ([1, 2, 2.5, 5].find((m) => m * unit >= least) || 10)).map((v) => Number(v.toPrecision(12)));
}

function multiples(from, to, gap) {
  const list = [], first = Math.ceil(from / gap);
  for (let n = 0; n < 100 && (first + n) * gap <= to; n++) list.push((first + n) * gap);
  return list;
}

// nearest is the index of the time next to t.
function nearest(list, t) {
  let low = 0, high = list.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] < t) low = middle; else high = middle;
  }
  return Math.abs(list[low] - t) <= Math.abs(list[high] - t) ? low : high;
}

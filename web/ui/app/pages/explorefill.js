// Lines as areas: each from zero, or stacked on those before it.
import { color } from "/ui/chart.js";

// stacked returns where each line lies: tops and bases, columns as long as the values. A line
// without a value at a time has no place there, and adds nothing to those after it; what is
// below zero is stacked downwards.
export function stacked(lines) {
  const up = [], down = [];
  return lines.map(({ values, hidden }) => {
    const tops = [], bases = [];
    values.forEach((v, i) => {
      if (v === null || v === undefined) { tops.push(null); bases.push(null); return; }
      const side = v < 0 ? down : up, base = side[i] || 0;
      bases.push(base);
      tops.push(base + v);
      if (!hidden) side[i] = base + v;
    });
    return { tops, bases };
  });
}

// fill is the fill of a chart's model.
export function fill(style, times, lines) {
  const stack = style === "stack";
  const placed = stack ? stacked(lines) : lines.map((l) => ({ tops: l.values, bases: l.values.map(() => 0) }));
  return {
    tops: placed.map((p) => p.tops),
    draw(u) {
      u.ctx.save();
      u.ctx.beginPath();
      u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      u.ctx.clip();
      lines.forEach((l, j) => { if (!l.hidden) area(u, times, placed[j], color(j) + (stack ? "80" : "38")); });
      u.ctx.restore();
    },
  };
}

// area fills every run of values between its base and its top.
function area(u, times, { tops, bases }, paint) {
  const x = (i) => u.valToPos(times[i], "x", true), y = (v) => u.valToPos(v, "y", true), half = devicePixelRatio;
  u.ctx.fillStyle = paint;
  for (let i = 0; i < tops.length; i++) {
    if (tops[i] === null) continue;
    let end = i;
    while (end + 1 < tops.length && tops[end + 1] !== null) end++;
    u.ctx.beginPath();
    if (end === i) u.ctx.rect(x(i) - half, Math.min(y(tops[i]), y(bases[i])), 2 * half, Math.abs(y(tops[i]) - y(bases[i])));
    else {
      for (let k = i; k <= end; k++) u.ctx.lineTo(x(k), y(tops[k]));
      for (let k = end; k >= i; k--) u.ctx.lineTo(x(k), y(bases[k]));
    }
    u.ctx.fill();
    i = end;
  }
}

// Lines as areas: each from zero, or stacked on those before it.
import { color } from "/ui/chart.js";
import { area } from "/ui/plot.js";

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
    draw(p) { lines.forEach((l, j) => { if (!l.hidden) area(p, times, placed[j].tops, placed[j].bases, color(j) + (stack ? "80" : "38")); }); },
  };
}

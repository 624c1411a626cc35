// Picture and values of what is shown, the band and the past included: those are not in an
// answer of the server, so they are made here.
import { color } from "/ui/chart.js";
import { duration, number, time } from "/ui/format.js";
import { role } from "/ui/plot.js";
import { beside, data, hidden } from "/ui/pages/exploredata.js";
import { state } from "/ui/pages/explorestate.js";

// shown are the columns of what is drawn: {name, values, paint}, the lines first.
function shown() {
  const g = data.value, off = hidden.value, old = beside.value?.past.value || [], band = beside.value?.bandFor(g);
  const lines = g.lines.map((l, i) => ({ key: l.key, name: l.label, values: l.values, paint: color(i), old: old[i] })).filter((l) => !off.has(l.key));
  const then = old.length === g.lines.length ? lines.map((l) => ({ name: l.name + ", " + state.overlay.value + " before", values: g.times.map(l.old.byTime), paint: l.paint + "90" })) : [];
  const sides = band ? ["expected", "lower", "upper"].map((side) => ({ name: side + " by rule " + state.band.value, values: band[side], paint: role(side === "expected" ? "accent" : "band-edge") })) : [];
  return { times: g.times, step: g.step, columns: [...lines, ...then, ...sides] };
}

// cell is a text in a table; one that a spreadsheet would run as a formula is guarded with a quote.
const cell = (text) => '"' + (/^[=+\-@\t\r]/.test(text) ? "'" : "") + text.replaceAll('"', '""').replace(/[\u0000-\u001f\u007f]/g, " ") + '"';

function values({ times, columns }) {
  const rows = times.map((t, i) => [new Date(Math.round(t * 1000)).toISOString().replace(".000Z", "Z"), ...columns.map(({ values: v }) => (Number.isFinite(v[i]) ? v[i].toFixed(6) : "NaN"))].join(","));
  return new Blob([[["timestamp", ...columns.map((c) => c.name)].map(cell).join(","), ...rows, ""].join("\n")], { type: "text/csv" });
}

const most = 40; // rows of the legend of a picture

function picture({ times, step, columns }) {
  const plot = document.querySelector(".chart canvas"), unit = devicePixelRatio, line = 20 * unit, edge = 14 * unit;
  const rows = columns.slice(0, most), more = columns.length - rows.length;
  const out = document.createElement("canvas"), at = out.getContext("2d");
  out.width = plot.width + 2 * edge;
  out.height = plot.height + 2 * edge + line * (2 + rows.length + (more > 0 ? 1 : 0));
  const write = (text, x, y, paint, font = "13px system-ui, sans-serif", room = out.width - x - edge) => {
    at.font = font.replace("13", String(13 * unit));
    at.fillStyle = paint;
    let cut = text;
    while (cut.length > 1 && at.measureText(cut === text ? text : cut + "…").width > room) cut = cut.slice(0, -Math.ceil(cut.length / 20));
    at.fillText(cut === text ? text : cut + "…", x, y);
  };
  at.fillStyle = role("panel");
  at.fillRect(0, 0, out.width, out.height);
  let y = edge + line / 2;
  write(state.q.value, edge, y, role("text"), "600 13px ui-monospace, monospace");
  y += line;
  write(time(times[0] * 1000 - step) + " to " + time(times.at(-1) * 1000) + " UTC, steps of " + (step < 1000 ? step + " ms" : duration(step / 1000)), edge, y, role("soft"));
  at.drawImage(plot, edge, y += line / 2);
  y += plot.height + line;
  for (const { name, values: v, paint } of rows) {
    const there = v.filter((x) => Number.isFinite(x)), last = there.at(-1);
    at.fillStyle = paint;
    at.fillRect(edge, y - 9 * unit, 9 * unit, 9 * unit);
    write(name, edge + 18 * unit, y, role("text"), undefined, out.width / 2);
    if (there.length > 0) write("last " + number(last) + "   min " + number(there.reduce((a, b) => Math.min(a, b))) + "   max " + number(there.reduce((a, b) => Math.max(a, b))), out.width * 0.6, y, role("soft"));
    y += line;
  }
  if (more > 0) write("and " + more + " more", edge + 18 * unit, y, role("soft"));
  return new Promise((done, failed) => { out.toBlob((blob) => (blob ? done(blob) : failed(new Error("The picture is too large."))), "image/png"); });
}

// take is what is shown as png or csv, a Blob.
export const take = async (format) => (format === "png" ? picture : values)(shown());

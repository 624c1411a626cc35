// Text for people: numbers, times, ages, series' names.

// number prints four digits with a decimal prefix; NaN and null are a dash.
export const number = (v) => digits(v, 4);

// numbers prints each of some different values with as many digits as tell all apart.
export function numbers(list) {
  for (let n = 4; ; n++) {
    const texts = list.map((v) => digits(v, n));
    if (n === 16 || new Set(texts).size === texts.length) return texts;
  }
}

function digits(v, n) {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  const a = Math.abs(v);
  for (const [unit, suffix, from = unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k", 9999.5]]) { // from there on four digits are 10k
    if (a >= from) return trim((v / unit).toPrecision(n)) + suffix;
  }
  if (a !== 0 && a < 1e-3) return v.toExponential(n - 2);
  return trim(v.toPrecision(n));
}

function trim(text) {
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

// duration prints seconds as the two largest units.
export function duration(seconds) {
  let s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + " s";
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const n = Math.floor(s / size);
    s -= n * size;
    if (n > 0 || parts.length > 0) parts.push(n + unit);
    if (parts.length === 2) break;
  }
  return parts.filter((p) => !/^0/.test(p)).join(" ");
}

// time prints a Unix ms in UTC, with the date when it is not today's.
export function time(ms, now = Date.now()) {
  const iso = new Date(ms).toISOString();
  const day = iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? "" : iso.slice(0, 10) + " ";
  return day + iso.slice(11, 19);
}

// tags prints a tag object as k=v pairs, without the name and the system's own keys.
export function tags(t) {
  return Object.keys(t || {}).filter((k) => k !== "name" && !k.startsWith("atlas.")).sort().map((k) => k + "=" + t[k]).join(", ");
}

// fits reports whether t has every tag of part.
export const fits = (t, part) => Object.entries(part).every(([k, v]) => t[k] === v);

// link returns text if it is a link that may be followed, to http or https only, and "" otherwise.
export function link(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : "";
  } catch {
    return "";
  }
}

// ms reads 5m, 1h, 2d, 1w; NaN when it is not a duration.
export function ms(text) {
  const m = /^(\d+)\s*(ms|s|m|h|d|w)$/.exec((text || "").trim());
  return m ? Number(m[1]) * { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[m[2]] : NaN;
}

// exact is all of a Unix ms, or of a time in words, in UTC.
export const exact = (t) => new Date(t).toISOString().replace("T", " ").replace("Z", " UTC");

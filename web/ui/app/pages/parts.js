// Pieces of the pages about data and the server: asking, states, sizes, bars, little graphs.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, number, time } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { note } from "/ui/router.js";
import { repeat } from "/ui/shared.js";

// useAsk asks for path now, every gap ms while somebody looks, and when path changes. What
// was there stays while it asks again, or cannot.
export function useAsk(path, gap = 5000) {
  const [got, setGot] = useState({ path: "", data: null, error: null });
  const now = useRef(null);
  useEffect(() => {
    if (!path) return undefined;
    const abort = new AbortController();
    const ask = () => api.get(path, abort.signal).then((data) => setGot({ path, data, error: null, at: Date.now() }), (error) => {
      if (error.name !== "AbortError") setGot((old) => ({ path, data: old.data, error, at: old.at }));
    });
    now.current = ask;
    const stop = repeat(gap, ask);
    return () => { stop(); abort.abort(); };
  }, [path, gap]);
  return { ...got, stale: got.path !== path, again: () => now.current?.() };
}

// Trouble says why there is nothing, or nothing new.
export function Trouble({ of, what }) {
  if (of.error?.status === 403) return html`<div class="notice" role="alert">You may not see ${what}: ${of.error.message}. A token with that scope opens this page.</div>`;
  if (of.error && of.error.status !== 401) return html`<div class="error" role="alert">${what}: ${of.error.message}${of.data ? ". Below is what was known before." : ""}</div>`;
  return null;
}

// Waiting fills the place of what is not there yet.
export const Waiting = ({ what }) => html`<p class="soft" aria-busy="true">Asking for ${what}…</p>`;

// useQuery keeps parameters of the address; set changes some of them in place.
export function useQuery(search) {
  const [p, setP] = useState(() => new URLSearchParams(search));
  useEffect(() => setP(new URLSearchParams(search)), [search]);
  const set = (changes) => {
    const next = new URLSearchParams(p);
    for (const [k, v] of Object.entries(changes)) if (v) next.set(k, v); else next.delete(k);
    note(next.size ? "?" + next : "");
    setP(next);
  };
  return [p, set];
}

// Age is how long ago that was, with the time in its title.
export function Age({ at, now = Date.now(), none = "never" }) {
  const t = typeof at === "string" ? Date.parse(at) : at;
  if (!t) return html`<span class="soft">${none}</span>`;
  const s = Math.round((now - t) / 1000);
  return html`<time datetime=${new Date(t).toISOString()} title=${time(t, 0) + " UTC"}>${s < 2 ? "now" : duration(s) + " ago"}</time>`;
}

// useRows moves from row to row of a table by j and k; Enter does what the row's first link
// or button does.
export function useRows(table) {
  const move = (d) => () => {
    const rows = [...document.querySelectorAll(table + " tbody tr")].map((r) => r.querySelector("a, button")).filter(Boolean);
    rows[Math.max(0, Math.min(rows.length - 1, rows.findIndex((r) => r.closest("tr").contains(document.activeElement)) + d))]?.focus();
  };
  useKeys({ j: ["the next row", move(1)], k: ["the row before", move(-1)] });
}

// bytes prints a size with binary prefixes.
export function bytes(n) {
  if (!n) return "0 B";
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (Math.abs(n) >= size) return number(n / size) + " " + unit;
  }
  return number(n) + " B";
}

export const count = (n) => (n ?? 0).toLocaleString("en");

// Bar shows how near something is to its limit, in words too.
export function Bar({ name, used, limit, show = count, help }) {
  if (!limit) return html`<div class="bar"><span>${name}</span><b>${show(used)}</b><span class="soft">no limit</span></div>`;
  const part = used / limit, state = part >= 0.95 ? "full" : part >= 0.8 ? "near" : "";
  return html`<div class=${"bar " + state} title=${help}><span>${name}</span><b>${show(used)} <span class="soft">of ${show(limit)}</span></b>
    <meter min="0" max="1" value=${part} aria-label=${name + ": " + show(used) + " of " + show(limit)}></meter>
    <span class="share">${part > 0 && part < 0.01 ? "under 1" : Math.round(part * 100)} %${state && html` <span class=${"badge " + (state === "full" ? "firing" : "pending")}>${state === "full" ? (part >= 1 ? "full" : "nearly full") : "filling up"}</span>`}</span></div>`;
}

// Spark draws values as a little line, or as bars.
export function Spark({ values, label, bars }) {
  const w = 120, h = 28, known = values.filter((v) => v !== null);
  if (known.length < (bars ? 1 : 2)) return html`<svg class="spark" viewBox="0 0 ${w} ${h}" aria-hidden="true"></svg>`;
  const top = Math.max(...known, 0), low = bars ? 0 : Math.min(...known), room = top - low || 1;
  const x = (i) => (values.length < 2 ? w : (i * (w - 2)) / (values.length - 1) + 1), y = (v) => h - 2 - ((v - low) / room) * (h - 4);
  const each = w / Math.max(values.length, 9);
  return html`<svg class="spark" viewBox=${"0 0 " + w + " " + h} preserveAspectRatio="none" role="img" aria-label=${label}>
    ${bars ? values.map((v, i) => v !== null && html`<rect x=${i * each + 1} y=${y(v)} width=${Math.max(1, each - 2)} height=${Math.max(1, h - 2 - y(v))} />`)
      : html`<path d=${values.map((v, i) => (v === null ? "" : (i === 0 || values[i - 1] === null ? "M" : "L") + x(i).toFixed(1) + " " + y(v).toFixed(1))).join("")} />`}</svg>`;
}

// Sure asks once, in its place, before it does what cannot be undone.
export function Sure({ children, does, yes, onYes, title }) {
  const [asked, setAsked] = useState(false), no = useRef(null);
  useEffect(() => { if (asked) no.current.focus(); }, [asked]);
  if (!asked) return html`<button title=${title} onClick=${(e) => { e.stopPropagation(); setAsked(true); }}>${children}</button>`;
  return html`<span class="sure" role="group" onClick=${(e) => e.stopPropagation()} onKeyDown=${(e) => { if (e.key === "Escape") setAsked(false); }}>${does}
    <button class="danger" onClick=${() => { setAsked(false); onYes(); }}>${yes}</button><button ref=${no} onClick=${() => setAsked(false)}>No</button></span>`;
}

// Head is a column's head that sorts by it.
export function Head({ by, sort, set, children, num }) {
  const [key, down] = [sort.replace(/^-/, ""), sort.startsWith("-")], on = key === by;
  return html`<th class=${num ? "num" : ""} aria-sort=${on ? (down ? "descending" : "ascending") : null}><button class="head" onClick=${() => set({ sort: on ? (down ? by : "-" + by) : num ? "-" + by : by })}>${children}${on && (down ? " ↓" : " ↑")}</button></th>`;
}

// asText writes a key or a value so that it is one text in an expression.
export const asText = (s) => s.replace(/[,:()\\\s/*]|[^\x20-\x7e]/g, (c) => [...Array(c.length)].map((_, i) => "\\u" + c.charCodeAt(i).toString(16).padStart(4, "0")).join(""));

export const explore = (q, more = {}) => "/?" + new URLSearchParams({ q, range: "1h", ...more });

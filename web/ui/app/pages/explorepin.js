// The values at a time that was clicked on, largest first; the line nearest to the click is marked.
import { html, useEffect, useLayoutEffect, useRef } from "/ui/vendor/preact.js";
import { color } from "/ui/chart.js";
import { number, time } from "/ui/format.js";
import { beside, data, hidden } from "/ui/pages/exploredata.js";
import { pinned } from "/ui/pages/exploregraph.js";
import { toggle } from "/ui/pages/explorestate.js";
import { styled } from "/ui/pages/explorestyle.js";
await styled;

export function Pinned({ pin }) {
  const box = useRef(null), g = data.value, off = hidden.value, i = at(g, pin.t), old = beside.value?.past.value || [], band = beside.value?.bandFor(g);
  useLayoutEffect(() => {
    const el = box.current, room = el?.parentElement;
    if (!el) return;
    const w = el.offsetWidth, x = Math.min(pin.x, room.clientWidth);
    el.style.left = Math.max(0, x + w + 20 > room.clientWidth ? x - w - 12 : x + 12) + "px";
    el.style.top = Math.max(4, Math.min(pin.y - 20, room.clientHeight - el.offsetHeight - 4)) + "px";
  });
  useEffect(() => {
    box.current?.querySelector(".near")?.scrollIntoView({ block: "nearest" });
  }, [pin.t]);
  useEffect(() => { // the place is of another width
    const wide = innerWidth, unpin = () => { if (innerWidth !== wide) pinned.value = null; }; // phones change their height while they scroll
    addEventListener("resize", unpin);
    return () => removeEventListener("resize", unpin);
  }, []);
  useEffect(() => { if (i < 0) pinned.value = null; }, [i]);
  if (i < 0) return null;
  const rows = g.lines.map((l, j) => ({ l, j, v: l.values[i] })).filter(({ l, v }) => v !== null && v !== undefined && !off.has(l.key)).sort((a, b) => b.v - a.v);
  const none = g.lines.length - off.size - rows.length, t = g.times[i] * 1000;
  return html`<section class="tip pinned" ref=${box} aria-label=${"Values at " + time(t) + " UTC"}>
    <h3><b>${time(t)} UTC</b><button onClick=${() => { pinned.value = null; }} aria-label="Unpin" title="unpin (Escape)">×</button></h3>
    <ol tabindex="0" aria-label="Lines, largest first">${rows.map(({ l, j, v }, rank) => { const then = old.length === g.lines.length ? old[j].byTime(g.times[i]) : null; return html`<li key=${l.key} class=${l.key === pin.line ? "near" : ""} aria-current=${l.key === pin.line ? "true" : null}>
      <small>${rank + 1}</small><span class="dot" style=${{ background: color(j) }}></span><button title="only this line" onClick=${() => toggle(l.key, true)}>${l.label}</button><i>${number(v)}${then === null ? "" : " (then " + number(then) + ")"}</i></li>`; })}</ol>
    ${band && band.expected[i] !== null && html`<p>${band.out[i] ? "out of band, " : ""}expected ${number(band.expected[i])} [${number(band.lower[i])}, ${number(band.upper[i])}]</p>`}
    ${none > 0 && html`<p>${none === 1 ? "1 line has" : none + " lines have"} no value</p>`}</section>`;
}

// at is the index of the step that holds t, -1 when it is not shown.
function at(g, t) {
  const step = g.step / 1000, i = g.times.findIndex((x) => x >= t - 1e-6);
  return i < 0 || g.times[i] - t >= step ? -1 : i;
}

// The legend of Explore: its lines with what is counted of them, found, sorted, shown and hidden.
import { html, useState } from "/ui/vendor/preact.js";
import { color } from "/ui/chart.js";
import { number } from "/ui/format.js";
import { redraw } from "/ui/shared.js";
import { beside, data, hidden } from "/ui/pages/exploredata.js";
import { state, toggle } from "/ui/pages/explorestate.js";

function stats(values) {
  let n = 0, sum = 0, min = Infinity, max = -Infinity, last = null;
  for (const v of values) {
    if (v === null) continue;
    n++; sum += v; last = v;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  return n === 0 ? { last, avg: null, max: null, min: null } : { last, avg: sum / n, max, min };
}

const columns = ["last", "avg", "min", "max"];

// move leads the focus from line to line of the legend; chosen is the one that has it.
export function move(by) {
  const all = [...document.querySelectorAll(".legend .name button")], at = all.indexOf(document.activeElement);
  all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
}
const chosen = () => { const row = document.activeElement?.closest?.(".legend tr"); return row && data.peek()?.lines[row.dataset.line]?.key; };

// turn shows or hides that line, or it alone.
export function turn(alone) {
  const key = chosen();
  if (key) toggle(key, alone);
}

// Beside says what is drawn beside the lines.
function Beside({ g }) {
  const past = { "1h": "an hour", "1d": "a day", "1w": "a week" }[state.overlay.value] || state.overlay.value;
  return html`${beside.value?.bandFor(g) && html`<span class="of-band">band of ${state.band.value}, and what it expects</span>`}${past && beside.value?.past.value.length > 0 && html`<span class="of-past">${past} before</span>`}`;
}

// Legend: a click shows or hides a line; with Alt, or a second click, it alone is shown, or all.
export function Legend() {
  const g = data.value, [find, setFind] = useState(""), [most, setMost] = useState(50), [said, say] = useState("");
  void redraw.value; // the dots have the theme's colours
  if (!g || g.lines.length === 0) return null;
  const off = hidden.value, sort = state.sort.value, by = sort.replace(/^-/, "");
  let rows = g.lines.map((l, i) => ({ l, i })).filter(({ l }) => l.label.toLowerCase().includes(find.toLowerCase()));
  const matched = rows.length;
  if (sort) {
    const of = (row) => (row.s ??= stats(row.l.values))[by] ?? -Infinity, down = sort[0] === "-" ? -1 : 1;
    rows.sort((a, b) => down * (by === "line" ? a.l.label.localeCompare(b.l.label) : of(a) - of(b) || 0) || a.i - b.i);
  }
  rows = rows.slice(0, most);
  const turn = (name) => { state.sort.value = sort === "-" + name ? name : sort === name ? "" : "-" + name; };
  const head = (name, wide) => html`<th class=${(name === "line" ? "" : "num ") + (wide ? "wide" : "")} aria-sort=${by === name ? (sort === name ? "ascending" : "descending") : null}><button onClick=${() => turn(name)}>${name}${by === name ? (sort === name ? " ↑" : " ↓") : ""}</button></th>`;
  const copy = (what, l) => import("/ui/pages/explorecopy.js").then((m) => m.copyLine(what, l)).then(say, () => say("It could not be copied."));
  return html`<div class="scroll"><div class="many">${g.lines.length > 12 && html`<input type="search" aria-label="Find lines" placeholder="find lines" value=${find} onInput=${(e) => setFind(e.target.value)} />
      <span>${matched} of ${g.lines.length} lines</span>`}${off.size > 0 && html`<span>${g.lines.length - off.size} shown</span><button onClick=${() => { state.only.value = []; state.hide.value = []; }}>Show all</button>`}<${Beside} g=${g} /><span role="status">${said}</span></div>
    <table class="legend"><thead><tr><th></th>${head("line")}${columns.map((c) => head(c, c === "min"))}<th class="wide"></th></tr></thead>
    <tbody>${rows.map(({ l, i, s }) => { const v = s || stats(l.values), hides = off.has(l.key); return html`<tr key=${i} data-line=${i} class=${hides ? "off" : ""}
      title="click: show or hide; with Alt, or double click: only this line" onClick=${(e) => toggle(l.key, e.altKey)} onDblClick=${() => toggle(l.key, true)}>
      <td><span class="dot" style=${{ background: color(i) }}></span></td><td class="name"><button aria-pressed=${String(!hides)}>${l.label}</button></td>
      ${columns.map((c) => html`<td class=${"num" + (c === "min" ? " wide" : "")}>${number(v[c])}</td>`)}
      <td class="copy wide" onClick=${(e) => e.stopPropagation()} onDblClick=${(e) => e.stopPropagation()}>copy <button title="the expression of this line alone" onClick=${() => copy("expression", l)}>expression</button> <button onClick=${() => copy("tags", l)}>tags</button></td></tr>`; })}</tbody></table>
    ${matched > rows.length && html`<p class="keys"><button onClick=${() => setMost(most + 100)}>${"Show more of " + (matched - rows.length)}</button></p>`}</div>`;
}

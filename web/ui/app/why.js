// Why an alert is there: in words, who carries the change, each decision with what it was made on, and the steps around them.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, number, tags, time } from "/ui/format.js";

const words = { firing: "firing", nodata: "no data", pending: "pending", resolved: "resolved" };
const percent = (share) => Math.round(100 * share) + " %";
const band = (s) => (s.lower === null && s.upper === null ? "" : s.lower === null ? "≤ " + number(s.upper) : s.upper === null ? "≥ " + number(s.lower) : number(s.lower) + " to " + number(s.upper));
const complete = (s) => (s.sources > 0 ? s.reported + "/" + s.sources : "–");

// Why shows the alert of an incident's id; list changes when there is news, and onClose is called to close it.
export function Why({ id, list, onClose }) {
  const [got, setGot] = useState({});
  const known = list.find((a) => a.incident === id);
  const settled = got.a?.why && got.a.endsAt && got.id === id; // what is over does not change
  useEffect(() => {
    if (settled) return undefined;
    let gone = false;
    const load = () => api.alert(id).then((a) => gone || setGot({ id, a }), (err) => gone || setGot((old) => (old.id === id && old.a ? old : { id, error: err.message })));
    void load();
    const timer = setInterval(() => { if (!document.hidden) void load(); }, 5000);
    return () => { gone = true; clearInterval(timer); };
  }, [id, settled, known?.state]);
  const a = got.id === id ? got.a : undefined, why = a?.why;
  return html`<section class="panel why" id="why" aria-label="Why"><h2>Why ${a && html`<span class=${"badge " + a.state}>${words[a.state] || a.state}</span>`}
      ${a && html`<a href=${"/alerts/" + encodeURIComponent(id)}>all of it</a>`}<button class="close" aria-label="Close" onClick=${onClose}>✕</button></h2>
    ${got.error && got.id === id ? html`<p class="notice">${got.error}</p>` : !why ? html`<p class="keys">…</p>` : html`
      <p class="words">${why.text}</p><p class="tags">${a.rule} ${tags(a.tags)} ${kind(a.detector)}</p>
      ${why.note && html`<p class="notice">${why.note}</p>`}
      <${Breakdown} b=${why.breakdown} /><${Decisions} why=${why} /><${Facts} why=${why} /><${Steps} why=${why} /><${Told} a=${a} />`}</section>`;
}

const kind = (detector) => (detector?.kind ? "· " + detector.kind : "");

export function Breakdown({ b }) {
  if (!b || b.values.length === 0) return null;
  const others = b.keys.slice(1).filter((k) => k.explained > 0.1);
  return html`<h3>Who carries the change</h3>
    <div class="scroll"><table class="parts"><thead><tr><th>${b.key}</th><th class="num">now</th><th class="num">expected</th><th class="num">change</th><th>share</th></tr></thead>
      <tbody>${b.values.map((v) => html`<tr key=${v.value}><td class="name">${v.value}</td><td class="num">${number(v.now)}</td><td class="num">${number(v.expected)}</td>
        <td class="num">${v.delta > 0 ? "+" : ""}${number(v.delta)}</td><td class="share"><meter min="0" max="1" value=${Math.max(0, Math.min(1, v.share))}></meter> ${percent(v.share)}</td></tr>`)}</tbody></table></div>
    <p class="keys">${b.even ? "No value of any tag stands out: all changed about alike. " : ""}${others.length > 0 ? "Also looked at: " + others.map((k) => k.key + " (" + k.values + (k.values === 1 ? " value, " : " values, ") + percent(k.explained) + ")").join(", ") : ""}</p>`;
}

// fact reads a number that the detector knew after a step.
function fact(why, step, name) {
  const at = why.facts.indexOf(name);
  return at < 0 || !step.facts ? null : step.facts[at] ?? null;
}

const wait = (w) => duration(w.passed / 1000) + " of " + duration(w.needs / 1000);

export function Decisions({ why }) {
  const clock = (d) => [d.for && d.for.needs > 0 && "lasted " + wait(d.for), d.keep && "in band " + wait(d.keep), d.absent && "no data " + wait(d.absent)].filter(Boolean).join(", ");
  const hold = (d) => { const h = fact(why, d, "hold"); return h > 1 ? fact(why, d, "held") + " of " + h + " steps" : ""; };
  const shown = why.decisions.filter((d, i, all) => d.kind !== "pending" || all[i + 1]?.t !== d.t); // it fired at once
  return html`<h3>Decisions</h3><div class="scroll"><table class="alerts decisions"><thead><tr><th>step</th><th></th><th class="num">value</th><th class="num">expected</th><th>band</th>
      <th class="num">score</th><th>cause</th><th>held</th><th>sources</th><th>clock</th></tr></thead>
    <tbody>${shown.map((d) => { const limit = fact(why, d, "threshold"); return html`<tr key=${d.kind + d.t}><td>${time(d.t)}</td><td><span class=${"badge " + d.kind}>${words[d.kind] || d.kind}</span></td>
      <td class="num" data-label="value">${number(d.value)}</td><td class="num" data-label="expected">${number(d.expected)}</td><td data-label="band">${band(d) || "–"}</td>
      <td class="num" data-label="score">${score(d.score)}${limit !== null && html` <span class="soft">of ${score(limit)}</span>`}</td><td data-label="cause">${d.cause || "–"}</td>
      <td data-label="held">${hold(d) || "–"}</td><td data-label="sources">${complete(d)}${d.silent ? html`<div class="tags">without ${d.silent.join(", ")}</div>` : ""}</td>
      <td class="summary" data-label="clock">${clock(d) || "–"}${d.putOff ? html`<div class="tags">put off at ${d.putOff.reported}/${d.putOff.sources} sources${d.putOff.silent ? ", waiting for " + d.putOff.silent.join(", ") : ""}</div>` : ""}</td></tr>`; })}</tbody></table></div>`;
}

// score prints a score so that those next to 1 can be told apart.
function score(s) {
  if (s === null || s === undefined) return "–";
  const rest = 1 - s;
  return rest > 0 && rest < 0.01 ? String(Number(s.toFixed(Math.min(9, 1 - Math.floor(Math.log10(rest)))))) : number(s);
}

// Facts shows what the detector knew at the beginning and at the last decision.
export function Facts({ why }) {
  const first = why.decisions.find((d) => d.facts), last = why.decisions.findLast((d) => d.facts);
  if (!first || why.facts.length === 0) return null;
  const name = (d) => (d.t === last.t && d.t === first.t ? "" : words[d.kind] + " ") + time(d.t);
  return html`<details><summary>What the detector knew</summary><div class="scroll"><table class="parts"><thead><tr><th></th><th class="num">${name(first)}</th>${last.t !== first.t && html`<th class="num">${name(last)}</th>`}</tr></thead>
    <tbody>${why.facts.map((f, i) => html`<tr key=${f}><td>${f.replaceAll("_", " ")}</td><td class="num">${number(first.facts[i])}</td>${last.t !== first.t && html`<td class="num">${number(last.facts[i])}</td>`}</tr>`)}</tbody></table></div></details>`;
}

export function Steps({ why }) {
  if (why.steps.length === 0) return null;
  const hold = fact(why, why.steps[why.steps.length - 1], "hold");
  return html`<details><summary>${why.steps.length} steps around it</summary><div class="scroll"><table class="parts steps"><thead><tr><th>step</th><th class="num">value</th><th class="num">expected</th><th class="num">band</th>
      <th class="num">score</th><th>out</th>${hold > 1 && html`<th class="num">held</th>`}<th class="num">sources</th></tr></thead>
    <tbody>${why.steps.map((s) => html`<tr key=${s.t} class=${s.out ? "out" : ""}><td>${time(s.t)}</td><td class="num">${number(s.value)}</td><td class="num">${number(s.expected)}</td><td class="num">${band(s) || "–"}</td>
      <td class="num">${score(s.score)}</td><td>${s.out ? s.cause || "out" : ""}</td>${hold > 1 && html`<td class="num">${number(fact(why, s, "held"))}</td>`}<td class="num">${complete(s)}</td></tr>`)}</tbody></table></div></details>`;
}

// Told lists what receivers were told.
function Told({ a }) {
  const attempts = (a.timeline || []).filter((e) => e.kind === "attempt");
  if (attempts.length === 0) return null;
  return html`<details><summary>Deliveries</summary><table class="parts"><tbody>${attempts.map((e, i) => html`<tr key=${i}><td>${time(e.t)}</td><td class="name">${e.detail}</td></tr>`)}</tbody></table></details>`;
}

// The back-test of a rule: what it would have paged for, and how that differs from the rule in force.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { send } from "/ui/api.js";
import { duration, ms, number, tags, time } from "/ui/format.js";
import { Ranges } from "/ui/pages/rulechart.js";
import { exploreOf } from "/ui/pages/rule.js";

const most = 200; // pages that are listed

// minutes prints how long alerts were on.
const minutes = (m) => duration(m * 60);

// rowsOf puts the pages of a back-test in order, each with how it differs from the rule in force.
function rowsOf(out) {
  const key = (p) => p.type + " " + tags(p.tags) + " " + p.startsAt, d = out.diff;
  if (!d) return out.pages.map((p) => ({ ...p, mark: "" }));
  const added = new Set(d.added.map(key)), moved = new Map(d.moved.map((p) => [key(p), p.against]));
  const mine = out.pages.map((p) => ({ ...p, mark: added.has(key(p)) ? "now" : moved.has(key(p)) ? "moved" : "both", against: moved.get(key(p)) }));
  return [...mine, ...d.removed.map((p) => ({ ...p, mark: "before" }))].sort((a, b) => (a.startsAt < b.startsAt ? -1 : 1));
}

// later is by how much the pages that both would have sent come later than those of the rule in force, in ms: the median.
function later(diff) {
  const by = [...diff.moved.map((p) => Date.parse(p.startsAt) - Date.parse(p.against.startsAt)), ...new Array(diff.same).fill(0)].sort((a, b) => a - b);
  return by.length ? by[by.length >> 1] : null;
}

const marks = { now: ["+", "only now"], before: ["−", "only before"], moved: ["~", "at another time"], both: ["=", "both"] };

export function Trial({ rule, valid, force, dirty, search }) {
  const [range, setRange] = useState(new URLSearchParams(search).get("trial") || "1d"), [out, setOut] = useState(null), [trouble, setTrouble] = useState(""), [busy, setBusy] = useState(false), [only, setOnly] = useState("");
  const running = useRef(null), text = JSON.stringify(rule);
  useEffect(() => () => running.current?.abort(), []);
  const run = async (over = range) => {
    running.current?.abort();
    const stop = running.current = new AbortController(), end = Date.now(), began = performance.now();
    setRange(over); setBusy(true); setTrouble("");
    try {
      const answer = await send("POST", "/api/v1/backtest", { rule, start: end - ms(over), end, ...(force && dirty && { against: force }) }, stop.signal);
      setOut({ ...answer, of: text, over, start: end - ms(over), end, took: performance.now() - began });
    } catch (err) {
      if (err.name === "AbortError") return;
      setTrouble(err.message);
    }
    setBusy(false);
  };
  const rows = out ? rowsOf(out) : [], shown = only ? rows.filter((r) => r.mark === only) : rows, d = out?.diff, by = d ? later(d) : null;
  return html`<section class="panel rules" id="trial-panel" aria-label="Back-test" aria-busy=${String(busy)}><div class="bar"><h2>Back-test</h2><${Ranges} label="Back-test over the last" list=${["1d", "1w", "30d"]} value=${range} onChange=${(r) => { if (valid) void run(r); else setRange(r); }} />
      <button id="trial" class="primary" disabled=${!valid || busy} onClick=${() => run()}>${busy ? "Judging …" : "Run"}</button>${busy && html`<button onClick=${() => { running.current.abort(); setBusy(false); }}>Stop</button>`}
      ${out && out.of !== text && html`<span class="soft">The rule was changed since.</span>`}</div>
    <p class="soft">${force && dirty ? "What it would have paged for, and how that differs from the rule in force." : "What it would have paged for. Nobody is told."}</p>
    ${trouble && html`<div class="error" role="alert">${trouble}</div>`}
    ${out && html`<dl class="facts-line" id="trial-sum"><div><dt>pages</dt><dd>${out.pageCount}${d && html` <${By} n=${d.pages} text=${String(Math.abs(d.pages))} />`}</dd></div>
        <div><dt>firing</dt><dd>${minutes(out.minutesFiring)}${d && html` <${By} n=${d.minutesFiring} text=${minutes(Math.abs(d.minutesFiring))} />`}</dd></div>
        ${d && html`<div><dt>first detection</dt><dd>${by === null ? "–" : by === 0 ? "at the same time" : duration(Math.abs(by) / 1000) + (by > 0 ? " later" : " sooner")}</dd></div>`}
        <div><dt>groups judged</dt><dd>${out.groupsJudged.toLocaleString("en")}</dd></div><div><dt>at a step of</dt><dd>${[...new Set(out.steps.map((s) => duration(s.step / 1000)))].join(", ") || "–"}</dd></div><div><dt>took</dt><dd>${number(out.took / 1000)} s</dd></div></dl>
      ${d && html`<div class="chips" role="group" aria-label="Pages">${Object.entries(marks).map(([m, [sign, name]]) => html`<button key=${m} aria-pressed=${String(only === m)} onClick=${() => setOnly(only === m ? "" : m)}>${sign} ${name} <b>${rows.filter((r) => r.mark === m).length}</b></button>`)}</div>`}
      ${out.notices.map((t) => html`<p class="soft" key=${t}>${t}</p>`)}
      ${rows.length === 0 && html`<div class="empty">No page in this time.</div>`}
      ${shown.length > 0 && html`<table class="cards pages"><thead><tr>${d && html`<th>Differs</th>`}<th>Began (UTC)</th><th>Lasted</th><th>Group</th><th class="num">Value</th><th class="num">Expected</th><th>Cause</th></tr></thead>
        <tbody>${shown.slice(0, most).map((p) => html`<${PageRow} key=${p.mark + p.type + p.startsAt + tags(p.tags)} p=${p} rule=${rule} band=${force && !dirty ? force.id : ""} diff=${Boolean(d)} end=${out.end} />`)}</tbody></table>`}
      ${shown.length > most && html`<p class="soft">${most} of ${shown.length} are shown.</p>`}`}</section>`;
}

const By = ({ n, text }) => (n === 0 ? html`<span class="soft">as before</span>` : html`<span class=${n > 0 ? "bad" : "good"}>${n > 0 ? "+" : "−"}${text}</span>`);

function PageRow({ p, rule, band, diff, end }) {
  const s = Date.parse(p.startsAt), e = p.endsAt ? Date.parse(p.endsAt) : end, pad = Math.max(15 * 60e3, (e - s) / 2), [sign, name] = marks[p.mark] || [];
  const moved = p.against ? (s - Date.parse(p.against.startsAt)) / 1000 : 0;
  return html`<tr class=${"mark-" + p.mark}>${diff && html`<td data-label="Differs"><b aria-hidden="true">${sign}</b> ${name}${moved !== 0 ? html` <span class="soft">${duration(Math.abs(moved))} ${moved > 0 ? "later" : "sooner"}</span>` : ""}</td>`}
    <td data-label="Began"><a href=${exploreOf(rule.expr, { s: Math.round(s - pad), e: Math.round(Math.min(Date.now(), e + pad)), band })}>${time(s)}</a></td><td data-label="Lasted">${duration((e - s) / 1000)}${p.endsAt ? "" : ", goes on"}${p.flapping ? ", flapping" : ""}</td>
    <td data-label="Group" class="id">${tags(p.tags) || "the one group"}</td><td class="num" data-label="Value">${number(p.value)}</td><td class="num" data-label="Expected">${p.expected === null ? bounds(p) : number(p.expected)}</td><td data-label="Cause">${p.type === "alert.nodata" ? "no data" : p.cause}</td></tr>`;
}

const bounds = (p) => (p.lower !== null ? "≥ " + number(p.lower) : p.upper !== null ? "≤ " + number(p.upper) : "–");

// Rules: the list of how they stand; one of them is the module rule.js.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { get } from "/ui/api.js";
import { duration, number, time } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { go, note, place } from "/ui/router.js";
import { opened, repeat } from "/ui/shared.js";
import { Rule } from "/ui/pages/rule.js";

const states = { firing: "firing", nodata: "no data", broken: "broken", pending: "pending", learning: "learning", empty: "no group yet", ok: "ok" };
const limit = 100;

// pathOf is the address of a rule's page; the one with the name of the page for new ones is written otherwise.
export const pathOf = (id) => "/rules/" + (id === "new" ? "%6Eew" : encodeURIComponent(id));

// State says how a rule, or a group, stands: by word, and by colour beside it.
export const State = ({ state, count }) => html`<span class=${"badge " + ({ broken: "firing", empty: "quiet", learning: "pending", ok: "resolved", inactive: "resolved" }[state] || state)}>${count > 0 ? count + " " : ""}${states[state] || (state === "inactive" ? "ok" : state)}</span>`;

// Age is how long ago a time was, with the time.
export const Age = ({ ms }) => (ms > 0 ? html`<span class="age" title=${time(ms) + " UTC"}>${duration((Date.now() - ms) / 1000)} ago</span>` : html`<span class="soft">never</span>`);

// cost prints ns of a step.
export const cost = (ns) => (ns < 1e6 ? number(ns / 1e3) + " µs" : number(ns / 1e6) + " ms");

const columns = [["state", "State"], ["id", "Rule"], ["groups", "Groups", "num"], ["series", "Series", "num"], ["cost", "Cost of a step", "num"], ["judged", "Judged"], ["owner", "Owner"], ["file", "From"], ["advice", "Warnings"]];

function read(search) {
  const p = new URLSearchParams(search), all = { find: "", state: "", owner: "", advice: "", sort: "state", order: "", offset: "0" };
  for (const key of Object.keys(all)) if (p.get(key)) all[key] = p.get(key);
  return all;
}

function write(want) {
  const p = new URLSearchParams();
  for (const [key, v] of Object.entries(want)) if (v && v !== "0" && !(key === "sort" && v === "state")) p.set(key, v);
  return p.toString() ? "?" + p : "";
}

export function Page({ rest, search }) {
  const fresh = place.value.path === "/rules/new";
  if (rest) return html`<${Rule} key=${place.value.path + search} id=${fresh ? "" : rest} search=${search} />`;
  return html`<${List} key=${search} search=${search} />`;
}

function List({ search }) {
  const [want, setWant] = useState(() => read(search)), [answer, setAnswer] = useState(null), [failed, setFailed] = useState(null);
  const change = (part) => setWant((old) => ({ ...old, offset: "0", ...part }));
  useEffect(() => {
    note(write(want));
    const stop = new AbortController(), p = new URLSearchParams({ ...want, stats: "1", limit });
    const end = repeat(5000, async () => {
      try {
        setAnswer(await get("/api/v1/rules?" + p, stop.signal));
        setFailed(null);
      } catch (err) { if (err.name !== "AbortError") setFailed(err); }
    });
    return () => { end(); stop.abort(); };
  }, [want, opened.value]);
  const table = useRef(null);
  const move = (by) => {
    const links = [...table.current?.querySelectorAll("td.id a") || []], at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
  };
  useKeys({ "/": ["find a rule", () => document.getElementById("find").focus()], j: ["the next rule", () => move(1)], k: ["the rule before", () => move(-1)], n: ["a new rule", () => go("/rules/new")] });
  const offset = Number(want.offset), matched = answer?.matched || 0;
  return html`<section class="panel rules" aria-label="Rules">
    <div class="bar"><h2>Rules</h2>
      <input id="find" type="search" aria-label="Find rules by id, owner, expression, severity, detector or label" placeholder="Find: id, expression, team=web …" value=${want.find} onInput=${(e) => change({ find: e.target.value })} />
      ${answer?.owners.length > 1 && html`<label>Owner <select value=${want.owner} onChange=${(e) => change({ owner: e.target.value })}><option value="">all</option>
        ${answer.owners.map((o) => html`<option value=${o} selected=${o === want.owner}>${o}</option>`)}</select></label>`}
      <label class="check"><input type="checkbox" checked=${want.advice === "1"} onChange=${(e) => change({ advice: e.target.checked ? "1" : "" })} /> with warnings</label>
      <a class="button primary" href="/rules/new">New rule</a></div>
    <div class="chips" role="group" aria-label="State">${answer && [["", "all"], ...Object.entries(states)].filter(([s]) => !s || answer.states[s] || s === want.state).map(([s, name]) =>
      html`<button key=${s} aria-pressed=${String(want.state === s)} onClick=${() => change({ state: s })}>${name} <b>${s ? answer.states[s] || 0 : Object.values(answer.states).reduce((a, b) => a + b, 0)}</b></button>`)}</div>
    ${failed && html`<div class="error" role="alert">${failed.status === 403 ? "Rules are shown to tokens with the scope query." : failed.message}</div>`}
    ${!answer && !failed && html`<p class="soft" aria-busy="true">Loading …</p>`}
    ${answer?.total === 0 && html`<div class="empty"><p>There is no rule yet.</p><p>A rule watches an expression and pages when it is not as it should be. Ask in <a href="/">Explore</a> and choose “Alert on this”, or begin with a <a href="/rules/new">new rule</a>.</p></div>`}
    ${answer?.total > 0 && matched === 0 && html`<div class="empty">No rule is like that. <button onClick=${() => setWant(read(""))}>Show all</button></div>`}
    ${matched > 0 && html`<table class="cards" ref=${table}><thead><tr>${columns.map(([key, name, kind]) => { const on = want.sort === key; return html`<th key=${key} class=${kind || ""} aria-sort=${on ? (want.order === "desc" ? "descending" : "ascending") : "none"}>
        <button onClick=${() => change({ sort: key, order: on && want.order !== "desc" ? "desc" : "" })}>${name}${on ? (want.order === "desc" ? " ▾" : " ▴") : ""}</button></th>`; })}</tr></thead>
      <tbody>${answer.rules.map((r) => html`<${Row} key=${r.id} r=${r} />`)}</tbody></table>
      <div class="pager"><span aria-live="polite">${offset + 1}–${Math.min(matched, offset + limit)} of ${matched.toLocaleString("en")}</span>
        ${matched > limit && html`<button disabled=${offset === 0} onClick=${() => change({ offset: String(Math.max(0, offset - limit)) })}>Before</button>
        <button disabled=${offset + limit >= matched} onClick=${() => change({ offset: String(offset + limit) })}>Next</button>`}</div>`}
    <${Owners} /></section>`;
}

function Row({ r }) {
  const parts = ["firing", "pending", "nodata"].filter((s) => r[s] > 0);
  return html`<tr class=${r.state === "firing" ? "firing-row" : ""}>
    <td class="states">${parts.length > 0 ? parts.map((s) => html`<${State} key=${s} state=${s} count=${r[s]} /> `) : html`<${State} state=${r.state} />`}${r.state === "broken" && parts.length > 0 && html`<${State} state="broken" />`}</td>
    <td class="id"><a href=${pathOf(r.id)}>${r.id}</a> <span class="soft">${r.severity} · ${r.detector}</span><code title=${r.expr}>${r.expr}</code>${r.state === "broken" && html`<span class="bad">${r.lastError}</span>`}</td>
    <td class="num" data-label="Groups">${r.groups.toLocaleString("en")}</td><td class="num" data-label="Series">${r.series.toLocaleString("en")}</td>
    <td class="num" data-label="Cost of a step">${cost(r.stepNs)} <span class="soft">/ ${duration(r.step / 1000)}</span></td><td data-label="Judged"><${Age} ms=${r.lastClosed} />${r.missed > 0 && html` <span class="soft" title="steps judged more than a step too late">${r.missed} late</span>`}</td>
    <td data-label="Owner">${r.owner}</td><td data-label="From" class="from">${r.file ? html`<span title=${r.file}>${r.file.split("/").pop()}</span>` : "API"}</td>
    <td data-label="Warnings">${r.advice.length > 0 ? html`<span class="warns" title=${r.advice.map((a) => a.message).join("\n")}>${r.advice.map((a) => a.check).join(", ")}</span>` : html`<span class="soft">none</span>`}</td></tr>`;
}

// Owners is what the rules of each owner cost, when somebody asks.
function Owners() {
  const [open, setOpen] = useState(false), [list, setList] = useState([]);
  useEffect(() => {
    if (!open) return undefined;
    return repeat(5000, async () => setList(await get("/api/v1/owners")));
  }, [open]);
  return html`<details class="owners" onToggle=${(e) => setOpen(e.target.open)}><summary>Owners and what their rules cost</summary>
    ${list.length > 0 && html`<div class="scroll"><table><thead><tr><th>owner</th><th class="num">rules</th><th class="num">groups</th><th class="num">cost in all</th><th class="num">steps</th><th class="num">late</th><th class="num">waited for others</th><th class="num">behind</th></tr></thead>
    <tbody>${list.map((o) => html`<tr key=${o.owner}><td><a href=${"/rules?owner=" + encodeURIComponent(o.owner)}>${o.owner}</a></td><td class="num">${o.rules}</td><td class="num">${o.groups}</td><td class="num">${number(o.costNs / 1e9)} s</td><td class="num">${o.closed.toLocaleString("en")}</td><td class="num">${o.missed}</td><td class="num">${o.deferred}</td><td class="num">${number(o.lagMs / 1000)} s</td></tr>`)}</tbody></table></div>`}</details>`;
}

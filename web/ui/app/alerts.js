// The list of alerts: firing first, then pending, then the latest that ended.
import { html } from "/ui/vendor/preact.js";
import { duration, link, number, tags, time } from "/ui/format.js";

const order = { firing: 0, nodata: 1, pending: 2, resolved: 3 };
const shown = 100;
const words = { firing: "firing", nodata: "no data", pending: "pending", resolved: "resolved" };

// Alerts shows the alerts of the signal list; onShow is called with the one to explain and to graph.
export function Alerts({ list, onShow }) {
  const since = (a) => Date.parse(a.startsAt || a.pendingSince) || 0;
  const rows = [...list.value].sort((a, b) => (order[a.state] ?? 9) - (order[b.state] ?? 9) || since(b) - since(a)).slice(0, shown);
  const firing = list.value.filter((a) => a.state === "firing").length;
  return html`<section class="panel" id="alerts" aria-label="Alerts"><h2>Alerts ${firing > 0 ? html`<span class="badge firing">${firing} firing</span>` : html`<span class="badge quiet">quiet</span>`}</h2>
    ${rows.length === 0 ? html`<p class="alerts-none">No alert yet. <a href="/rules/new">Make a rule</a>, or give files of them with <code>--rules</code>.</p>`
      : html`<div class="scroll"><table class="alerts"><thead><tr><th>state</th><th>rule</th><th>since</th><th class="num">lasted</th><th class="num">value</th><th class="num">expected</th><th>what</th><th></th></tr></thead>
        <tbody>${rows.map((a) => html`<${Row} key=${a.incident || a.id} a=${a} onShow=${onShow} />`)}</tbody></table>
        ${list.value.length > shown && html`<p class="keys">… and ${list.value.length - shown} more</p>`}</div>`}</section>`;
}

function Row({ a, onShow }) {
  const end = a.endsAt ? Date.parse(a.endsAt) : Date.now();
  const { value, expected } = a.state === "resolved" && a.began || a, since = a.startsAt || a.pendingSince, runbook = link(a.annotations?.runbook);
  return html`<tr class=${a.state === "firing" ? "firing-row" : ""}><td><span class=${"badge " + a.state}>${words[a.state] || a.state}</span>${a.flapping && html` <span class="badge pending" title="it came back again and again, and stays on until it is calm">flapping</span>`}</td>
    <td><b>${a.rule}</b><div class="tags">${tags(a.tags)}</div></td>
    <td data-label="since">${since ? time(Date.parse(since)) : "–"}</td>
    <td class="num" data-label="lasted">${since ? duration((end - Date.parse(since)) / 1000) : "–"}</td>
    <td class="num" data-label="value">${number(value)}</td><td class="num" data-label="expected">${number(expected)}</td>
    <td class="summary">${a.cause && html`<span class="cause">${a.cause}</span> `}${a.annotations?.summary || ""} ${runbook && html`<a href=${runbook} target="_blank" rel="noopener noreferrer">runbook</a>`}
      ${(a.contributors || []).map((c) => html`<div class="tags">${tags(c.tags)} ${c.delta > 0 ? "+" : ""}${number(c.delta)}, ${Math.round(100 * c.share)} % of the change</div>`)}</td>
    <td><button onClick=${() => onShow(a)}>Why</button></td></tr>`;
}

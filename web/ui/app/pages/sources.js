// Sources: who sends, how much, what became of it, and what to do about what was refused.
import { html, useState } from "/ui/vendor/preact.js";
import { useKeys } from "/ui/keys.js";
import { duration, number } from "/ui/format.js";
import { Age, count, Head, Spark, Trouble, useAsk, useQuery, useRows, Waiting } from "/ui/pages/parts.js";

const rejected = (s) => Object.values(s.rejected || {}).reduce((n, r) => n + r.points, 0);
const unread = (s) => s.unreadable?.requests || 0;
const troubled = (s) => rejected(s) + unread(s) > 0 || s.hint;
const kinds = [["", "all"], ["rejected", "with refusals"], ["silent", "silent"]];
const ways = { publish: "publish", update: "Spectator", line: "one line", inside: "Pulse itself" };
const by = {
  source: (s) => s.source, rate: (s) => s.rate, interval: (s) => s.intervalMs, seen: (s) => -Date.parse(s.lastSeen),
  accepted: (s) => s.accepted, rejected: (s) => rejected(s) + unread(s),
};

const trouble = (s) => (troubled(s) ? 0 : s.silent ? 1 : 2);

// pick filters and sorts, unless otherwise asked by who has a problem; what is equal goes by its name.
function pick(list, find, show, sort) {
  const key = by[sort.replace(/^-/, "")] || trouble, sign = sort.startsWith("-") ? -1 : 1, text = find.toLowerCase();
  const of = list.filter((s) => s.source.toLowerCase().includes(text) && (show === "rejected" ? troubled(s) : show === "silent" ? s.silent : true));
  return of.map((s) => [key(s), s]).sort(([a, s], [b, o]) => sign * (a < b ? -1 : a > b ? 1 : 0) || (s.source < o.source ? -1 : 1)).map(([, s]) => s);
}

export function Page({ search }) {
  const [p, set] = useQuery(search), of = useAsk("/api/v1/sources", 5000), [most, setMost] = useState(100);
  const find = p.get("find") || "", show = p.get("show") || "", sort = p.get("sort") || "";
  useKeys({ "/": ["find a source", () => document.getElementById("find")?.focus()] });
  useRows("#sources");
  const all = of.data || [], list = pick(all, find, show, sort);
  const n = { "": all.length, rejected: all.filter(troubled).length, silent: all.filter((s) => s.silent).length };
  return html`<section class="panel" aria-label="Sources"><div class="lead"><h2>Sources</h2>
      <span class="segments" role="group" aria-label="Which">${kinds.map(([key, text]) => html`<button key=${key} aria-pressed=${String(show === key)} onClick=${() => set({ show: key })}>${text} <span class="soft">${of.data ? count(n[key]) : ""}</span></button>`)}</span>
      <input id="find" class="end" type="search" placeholder="find" aria-label="Find sources" value=${find} onInput=${(e) => set({ find: e.target.value })} /></div>
    <${Trouble} of=${of} what="the sources" />
    ${!of.data ? !of.error && html`<${Waiting} what="sources" />` : list.length === 0 ? html`<p class="empty">${all.length === 0 ? "Nobody has sent anything yet." : show === "rejected" ? "No source had anything refused." : show === "silent" ? "No source is silent." : "No source is called so."}</p>` : html`
    <table id="sources" class="cards"><thead><tr><${Head} by="source" sort=${sort} set=${set}>source<//><th>by</th><${Head} by="rate" num sort=${sort} set=${set}>points/s<//><th>recent reports</th><${Head} by="interval" num sort=${sort} set=${set}>interval<//><${Head} by="seen" sort=${sort} set=${set}>last seen<//><${Head} by="accepted" num sort=${sort} set=${set}>accepted<//><${Head} by="rejected" num sort=${sort} set=${set}>refused<//></tr></thead>
    <tbody>${list.slice(0, most).map((s) => html`<${Row} key=${s.source} s=${s} now=${of.at} open=${p.get("open") === s.source} set=${set} />`)}</tbody></table>
    ${list.length > most && html`<button class="more" onClick=${() => setMost(most + 200)}>Show ${Math.min(200, list.length - most)} more of ${count(list.length)}</button>`}`}
    <p class="keys">Accepted points are stored, superseded by another of the same step, or came too late to change it. Counts are since the start of the server.</p></section>`;
}

function Row({ s, now, open, set }) {
  const bad = rejected(s);
  return html`<tr class=${troubled(s) ? "troubled" : ""}><td class="wide mono"><button class="plain" aria-expanded=${String(open)} onClick=${() => set({ open: open ? "" : s.source })}>${s.source}</button></td>
    <td data-label="by">${s.protocols.map((w) => ways[w] || w).join(", ") || html`<span class="soft" title="not since the start of the server">–</span>`}</td>
    <td class="num" data-label="points/s">${number(s.rate)}</td><td><${Spark} bars values=${s.recent.map((r) => r.accepted)} label=${"points of the last " + s.recent.length + " reports"} /></td>
    <td class="num" data-label="interval">${s.intervalMs ? duration(s.intervalMs / 1000).replace(/^0 s$/, s.intervalMs + " ms") : "–"}</td>
    <td data-label="last seen"><${Age} at=${s.lastSeen} now=${now} />${s.silent && html` <span class="badge pending">silent</span>`}</td>
    <td class="num" data-label="accepted" title=${count(s.stored) + " stored, " + count(s.superseded) + " superseded, " + count(s.late) + " late"}>${count(s.accepted)}</td>
    <td class="num" data-label="refused">${bad > 0 ? html`<span class="badge firing">${count(bad)}</span>` : "0"}${unread(s) > 0 && html` <span class="badge firing">${requests(s)}</span>`}</td></tr>
    ${(open || troubled(s)) && html`<tr class="detail"><td class="wide" colspan="8"><${Detail} s=${s} open=${open} /></td></tr>`}`;
}

const requests = (s) => count(unread(s)) + (unread(s) === 1 ? " request" : " requests");

function Detail({ s, open }) {
  return html`${unread(s) > 0 && html`<div class="fix"><b>${requests(s)} refused: not readable.</b> ${s.unreadable.fix}</div>`}
    ${Object.entries(s.rejected || {}).sort(([, a], [, b]) => b.points - a.points).map(([reason, r]) => html`<div class="fix" key=${reason}><b>${count(r.points)} refused: ${reason.replaceAll("-", " ")}.</b> ${r.fix}</div>`)}
    ${s.hint && html`<div class="fix"><b>Two reporters?</b> ${s.hint}</div>`}
    ${s.sample && (open || troubled(s)) && html`<p class="mono soft">The latest: ${s.sample}</p>`}
    ${open && html`<dl class="facts"><dt>requests</dt><dd>${count(s.requests)}</dd><dt>stored</dt><dd>${count(s.stored)}</dd><dt>superseded</dt><dd>${count(s.superseded)}</dd><dt>late</dt><dd>${count(s.late)}</dd>
      <dt>newest time sent</dt><dd>${s.lastTime ? s.lastTime.replace("T", " ").replace("Z", " UTC") : "–"}</dd></dl>`}`;
}

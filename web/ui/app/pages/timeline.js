// The causal timeline of an alert, and its deliveries.
import { html } from "/ui/vendor/preact.js";
import { duration, exact, number } from "/ui/format.js";
import { stuck, When } from "/ui/pages/alertbits.js";
import { open, pathOf, since } from "/ui/pages/alertdata.js";

const kinds = { pending: "pending", firing: "firing", nodata: "no data", resolved: "over", flapping: "flapping", silenced: "silenced", unsilenced: "silence over", inhibited: "inhibited", uninhibited: "inhibition over",
  muted: "muted", unmuted: "mute over", routed: "routed", unrouted: "no route", attempt: "delivery", point: "step" };
const types = { "alert.firing": "firing", "alert.resolved": "over", "alert.nodata": "no data", "alert.summary": "summary", "alert.test": "test" };
const percent = (d) => (d.sources > 0 ? d.reported + " of " + d.sources + " sources had reported" : "");
const wait = (w) => duration(w.passed / 1000) + " of " + duration(w.needs / 1000);

const isOut = (e) => e.detail.includes("out of band");
const runs = 30; // of steps in band and out of it that are told apart

// entries are what happened, in order: steps that follow each other are one entry, split
// where they left the band and came back.
function entries(a, split = true) {
  const decisions = new Map((a.why?.decisions || []).map((d) => [d.kind + d.t, d])), attempts = a.attempts || [], out = [];
  const fired = new Set((a.timeline || []).filter((e) => e.kind === "firing" || e.kind === "nodata").map((e) => e.t));
  for (const e of a.timeline || []) {
    if (e.kind === "attempt" || (e.kind === "pending" && fired.has(e.t))) continue; // it fired at once
    const last = out[out.length - 1];
    if (e.kind !== "point") out.push({ t: e.t, kind: e.kind, detail: e.detail, decision: decisions.get(e.kind + e.t) });
    else if (last?.kind === "point" && (!split || isOut(last.steps[0]) === isOut(e))) last.steps.push(e);
    else out.push({ t: e.t, kind: "point", steps: [e] });
  }
  if (split && out.filter((e) => e.kind === "point").length > runs) return entries(a, false);
  for (const x of attempts) out.push({ t: x.t, kind: "attempt", attempt: x });
  return out.sort((x, y) => x.t - y.t);
}

export function Timeline({ a }) {
  const begin = since(a), list = entries(a);
  const offset = (t) => { const s = (t - begin) / 1000; return Math.abs(s) < 0.0005 ? "" : (s < 0 ? "−" : "+") + (Math.abs(s) < 60 ? number(Math.abs(s)) + " s" : duration(Math.abs(s))); };
  if (list.length === 0) return html`<p class="soft">Nothing is kept of it.</p>`;
  return html`<ol class="timeline">${list.map((e, i) => html`<li key=${i} class=${"event " + e.kind + (e.attempt && e.attempt.outcome !== "accepted" ? " failed" : "")}>
    <span class="at"><${When} t=${e.t} /><span class="soft">${offset(e.t)}</span></span><div><${Event} e=${e} /></div></li>`)}</ol>`;
}

function Event({ e }) {
  if (e.kind === "point") {
    const out = e.steps.filter(isOut).length, text = e.steps.length === 1 ? "a step" : e.steps.length + " steps";
    return html`<details><summary>${text}${out === 0 ? " in band" : out === e.steps.length ? " out of band" : ", " + out + " out of band"}</summary>
      ${e.steps.map((s) => html`<p key=${s.t} class="soft"><${When} t=${s.t} /> ${s.detail}</p>`)}</details>`;
  }
  if (e.attempt) return html`<${Try} x=${e.attempt} name />`;
  const d = e.decision, more = d ? [percent(d), d.dataAgeMs !== undefined && d.dataAgeMs !== null && "the newest data was " + (d.dataAgeMs < 1000 ? d.dataAgeMs + " ms" : duration(d.dataAgeMs / 1000)) + " old",
    d.for?.needs > 0 && "lasted " + wait(d.for), d.keep && "in band " + wait(d.keep), d.absent && "no data " + wait(d.absent)].filter(Boolean) : [];
  return html`<b>${kinds[e.kind] || e.kind}</b> <span class="detail">${d && d.value !== null ? verdict(d) : e.kind.endsWith("silenced") ? silence(e) : e.detail}</span>
    ${more.length > 0 && html`<p class="soft">${more.join("; ")}</p>`}
    ${d?.putOff && html`<p class="soft">first put off at ${d.putOff.reported} of ${d.putOff.sources} sources${d.putOff.silent ? ", waiting for " + d.putOff.silent.join(", ") : ""}</p>`}`;
}

const bounds = (d) => (d.lower === null && d.upper === null ? "" : d.lower === null ? " (at most " + number(d.upper) + ")" : d.upper === null ? " (at least " + number(d.lower) + ")" : " (" + number(d.lower) + " to " + number(d.upper) + ")");
const verdict = (d) => number(d.value) + (d.expected === null ? "" : ", expected " + number(d.expected)) + bounds(d) + (d.cause ? ": " + d.cause : "");

// silence leads to the one that a line names by its id.
function silence({ kind, detail }) {
  const m = /^silence ([0-9a-f-]{8,}) (.*)$/s.exec(detail);
  return m ? html`${kind === "silenced" ? "by " : ""}<a href=${"/silences?id=" + m[1]}>${kind === "silenced" ? "a silence" : "that"}</a> ${m[2].replace(/(\d\d:\d\d:\d\d)\.\d+Z/g, "$1 UTC").replace(/(\d{4}-\d\d-\d\d)T/g, "$1 ")}` : detail;
}

// Try is one attempt to deliver.
function Try({ x, name }) {
  const good = x.outcome === "accepted";
  return html`${name && html`<b>${types[x.type] || x.type} → ${x.receiver}</b> `}<span class=${good ? "ok" : x.outcome === "retry" ? "stuck" : "bad-text"}>${x.outcome === "retry" ? "failed, to be tried again" : x.outcome}</span>${" "}
    <span class="soft">${[x.number > 0 && "attempt " + x.number, x.status > 0 && "status " + x.status, x.number > 0 && (x.latencyMs || "< 1") + " ms", x.next && "next at " + exact(x.next).slice(11, 19)].filter(Boolean).join(" · ")}</span>
    ${x.error && html`<p class="soft break">${x.error}</p>`}`;
}

// Deliveries says of each receiver what it was told and when, and where it stands.
export function Deliveries({ a }) {
  const attempts = a.attempts || [], standing = a.standing || [];
  const names = [...new Set([...a.receivers, ...a.untold, ...attempts.map((x) => x.receiver), ...standing.map((x) => x.receiver)])].sort();
  const holds = [...a.silencedBy.map((id) => html`<a key=${id} href=${"/silences?id=" + encodeURIComponent(id)}>a silence</a>`), ...a.inhibitedBy.map((c) => html`<span key=${c.name}>inhibit rule ${c.incident ? html`<a href=${pathOf(c.incident)}>${c.name}</a>` : c.name}</span>`), ...a.mutedBy.map((m) => html`<span key=${m}>mute ${m}</span>`)];
  if (names.length === 0) return html`<p class="stuck">${a.state === "pending" ? "Nobody yet: it is pending." : "Nobody: there is no receiver for it."}</p>`;
  return html`<ul class="deliveries">${names.map((name) => {
    const tries = attempts.filter((x) => x.receiver === name), x = standing.find((s) => s.receiver === name), why = x && stuck(x), told = tries.some((t) => t.outcome === "accepted");
    return html`<li key=${name}><h3><a href=${"/receivers/" + encodeURIComponent(name)}>${name}</a> <span class=${told && !why ? "ok" : "stuck"}>${why || (told ? "told" : a.untold.includes(name) ? "not told" : x?.why === "queued" || x?.why === "under way" ? "on its way" : tries.length > 0 ? "not told" : a.receivers.includes(name) ? "told; the attempts are not kept any more" : "not told")}</span></h3>
      ${a.untold.includes(name) && open(a) && holds.length > 0 && html`<p class="held">held back by ${holds.map((h, i) => (i ? [", ", h] : h))}</p>`}
      ${x?.quiet?.length > 0 && html`<p class="held">not told again while there is ${x.quiet.join(", ")}</p>`}
      ${tries.map((t, i) => html`<div key=${i} class="try"><${When} t=${t.t} /> <span class="soft">${types[t.type] || t.type}</span> <${Try} x=${t} /></div>`)}</li>`;
  })}</ul>`;
}

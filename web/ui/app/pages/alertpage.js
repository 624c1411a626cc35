// One alert, from the first step that was odd to the last who was told: it is kept with the
// alert, so it is the same when the data is gone.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, link, number, tags } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { note, place } from "/ui/router.js";
import { alertList, away, rules } from "/ui/shared.js";
import { Breakdown, Decisions, Facts, Steps } from "/ui/why.js";
import { Told, When } from "/ui/pages/alertbits.js";
import { deviation, ended, figures, labels, latest, open, since, words } from "/ui/pages/alertdata.js";
import { AlertChart, useSteps } from "/ui/pages/alertchart.js";
import { SilenceDialog } from "/ui/pages/silencing.js";
import { Deliveries, Timeline } from "/ui/pages/timeline.js";

// useAlert loads one, again and again while it is on.
function useAlert(id) {
  const [got, setGot] = useState({}), known = alertList.value.find((a) => a.incident === id);
  const settled = got.a?.endsAt && got.a.why && Date.now() - ended(got.a) > 3e5;
  useEffect(() => {
    let gone = false;
    const load = () => api.alert(id).then((a) => gone || setGot({ a }), (err) => gone || setGot((old) => (old.a ? old : { error: err.message })));
    void load();
    const timer = settled ? null : setInterval(() => { if (!away.peek()) void load(); }, 5000);
    return () => { gone = true; clearInterval(timer); };
  }, [id, settled, known?.state, known?.silencedBy.join()]);
  return { ...got, known };
}

export function One({ id, say }) {
  const { a, error, known } = useAlert(id), [dialog, setDialog] = useState(() => new URLSearchParams(place.value.search).has("silence"));
  const silence = (on) => { setDialog(on); note(on ? "?silence=1" : ""); };
  useKeys({ s: ["silence it", () => a && open(a) && silence(true)], e: ["open it in Explore", () => document.querySelector(".to-explore")?.click()] }, [a]);
  if (error) return html`<div class="error" role="alert">${error}</div>`;
  if (!a) return html`<p class="empty" aria-busy="true">…</p>`;
  return html`<${Head} a=${{ ...a, ...(known && open(a) ? { silencedBy: known.silencedBy, value: latest(known, a).value, expected: latest(known, a).expected } : {}) }} onSilence=${() => silence(true)} />
    <${Picture} a=${a} />
    <div class="two"><section class="panel" aria-label="Timeline"><h2>What happened</h2><${Timeline} a=${a} /></section>
      <div class="beside"><section class="panel" aria-label="Deliveries"><h2>Who was told</h2><${Deliveries} a=${a} /></section>
        ${a.why?.breakdown && html`<section class="panel why" aria-label="Contributors"><${Breakdown} b=${a.why.breakdown} /></section>`}
        <section class="panel" aria-label="Labels"><h2>Labels</h2><${Labels} a=${a} /></section></div></div>
    ${a.why && html`<section class="panel why" id="why" aria-label="Why"><${Decisions} why=${a.why} /><${Facts} why=${a.why} /><${Steps} why=${a.why} /></section>`}
    ${dialog && html`<${SilenceDialog} alert=${a} say=${say} onClose=${() => silence(false)} />`}`;
}

// toExplore is the address of the alert's graph with its band.
function toExplore(a) {
  const rule = rules.value.find((r) => r.id === a.rule), p = new URLSearchParams();
  let q = rule?.expr || "";
  if (!q) try { q = new URL(a.graph, location.origin).searchParams.get("q") || ""; } catch { /* the rule is gone, and no graph is known */ }
  if (!q) return "";
  const from = since(a), to = ended(a) || Date.now(), pad = Math.max(3e5, (to - from) / 2);
  p.set("q", q);
  p.set("s", String(Math.round(from - pad)));
  p.set("e", String(Math.round(Math.min(Date.now(), to + pad))));
  if (rule) p.set("band", rule.id);
  p.set("alert", a.incident);
  return "/?" + p;
}

function Head({ a, onSilence }) {
  const n = figures(a), runbook = link(a.annotations?.runbook), explore = toExplore(a), whyNot = "/alerts?" + new URLSearchParams({ view: "why", rule: a.rule, tags: Object.entries(a.tags || {}).map((kv) => kv.join("=")).join(","), t: String(since(a)) });
  return html`<section class=${"panel alert-head " + a.state} aria-label="Alert">
    <h2><span class=${"badge " + a.state}>${words[a.state]}</span> <a href=${"/rules/" + encodeURIComponent(a.rule)}>${a.rule}</a> <span class="tags">${tags(a.tags)}</span>
      ${a.flapping && html`<span class="badge pending">flapping</span>`}</h2>
    <p class="words">${a.why?.text || a.annotations?.summary || ""}</p>
    ${a.annotations?.summary && html`<p class="summary">${a.annotations.summary}</p>`}${a.why?.note && html`<p class="notice">${a.why.note}</p>`}
    <dl class="facts-line">
      <div><dt>${open(a) ? "on for" : "lasted"}</dt><dd><b>${duration(((ended(a) || Date.now()) - since(a)) / 1000)}</b> <span class="soft"><${When} t=${since(a)} />${ended(a) ? html` – <${When} t=${ended(a)} />` : ""} UTC</span></dd></div>
      <div><dt>${open(a) || !a.began ? "value" : "began at"}</dt><dd><b>${number(n.value)}</b>${n.expected !== null && html` <span class="soft">of ${number(n.expected)}</span>`} ${deviation(n)}</dd></div>
      <div><dt>severity</dt><dd>${a.severity || "–"}${a.owner ? html` <span class="soft">of ${a.owner}</span>` : ""}</dd></div>
      <div><dt>told</dt><dd><${Told} a=${a} detail=${a} /></dd></div></dl>
    <div class="acts">${open(a) && html`<button class=${a.silencedBy.length > 0 ? "" : "primary"} onClick=${onSilence}>Silence${a.silencedBy.length > 0 ? " for longer" : ""}</button>`}
      ${runbook && html`<a class="button" href=${runbook} target="_blank" rel="noopener noreferrer">Runbook</a>`}
      ${explore && html`<a class="button to-explore" href=${explore}>Explore</a>`}<a class="button" href=${whyNot}>Why (not) paged?</a></div></section>`;
}

function Picture({ a }) {
  const steps = useSteps(a);
  return html`<section class="panel" aria-label="Graph">${steps.length < 2 ? html`<p class="soft">${a.why ? "No steps are kept of this alert." : "…"}</p>` : html`<${AlertChart} a=${a} steps=${steps} />`}</section>`;
}

function Labels({ a }) {
  const notes = Object.entries(a.annotations || {}).filter(([k, v]) => k !== "summary" && !(k === "why" && a.why) && v !== a.why?.text);
  return html`<div class="chips">${Object.entries(labels(a)).filter(([k]) => k !== "alertname").map(([k, v]) => html`<span key=${k} class="label">${k}=${v}</span>`)}</div>
    ${notes.length > 0 && html`<dl class="notes">${notes.map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd>${link(v) ? html`<a href=${link(v)} target="_blank" rel="noopener noreferrer">${v}</a>` : v}</dd></div>`)}</dl>`}`;
}

// A silence in the making: what it means, how long, why, and what it would hit.
import { html, useEffect, useLayoutEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, exact, ms, tags } from "/ui/format.js";
import { open, labels, loadSilences, pathOf, words } from "/ui/pages/alertdata.js";
import { When } from "/ui/pages/alertbits.js";
import { alertList } from "/ui/shared.js";

const spans = ["30m", "1h", "2h", "4h", "8h", "1d", "3d", "1w"];
const calm = ["5m", "15m", "30m", "1h", "4h"];
const who = "pulse.author"; // where the name is kept that silences were signed with last
function author(name) {
  try { if (name === undefined) return localStorage.getItem(who) || ""; localStorage.setItem(who, name); } catch { /* private windows have no storage */ }
  return name || "";
}

// rowsOf are the matchers to choose from: the alert's rule and tags are chosen, its other labels
// are not; of the whole rule the rule alone is.
function rowsOf(alert, whole) {
  const all = labels(alert), chosen = (key) => key === "rule" || (!whole && key in (alert.tags || {}));
  const keys = Object.keys(all).filter((k) => k !== "alertname" && k !== "name").sort((a, b) => chosen(b) - chosen(a) || (b === "rule") - (a === "rule") || a.localeCompare(b));
  return keys.map((key) => ({ key, op: "=", value: all[key], on: chosen(key), spare: !chosen(key), fixed: true }));
}
const rowsFrom = (list) => list.map((m) => ({ ...m, on: true }));
const bare = (rows) => rows.filter((r) => r.on && r.key).map(({ key, op, value }) => ({ key, op, value }));

// Form makes or changes one; given is what it begins with: {rows, silence}.
export function Form({ alert, whole, silence, onDone, onClose }) {
  const [rows, setRows] = useState(() => (silence ? rowsFrom(silence.matchers) : alert ? rowsOf(alert, whole) : [{ key: "rule", op: "=", value: "", on: true }]));
  const [span, setSpan] = useState(silence ? "" : "2h"), [until, setUntil] = useState(silence ? utc(Date.parse(silence.endsAt)) : "");
  const [start, setStart] = useState(silence?.state === "pending" ? utc(Date.parse(silence.startsAt)) : "");
  const [ends, setEnds] = useState(silence?.endWhenNormalFor || ""), [by, setBy] = useState(silence?.author || author());
  const [comment, setComment] = useState(silence?.comment || ""), [error, setError] = useState(""), [busy, setBusy] = useState(false);
  const from = start ? ofUtc(start) : Date.now(), end = span ? from + ms(span) : ofUtc(until);
  const hits = usePreview(rows), set = (i, part) => setRows(rows.map((x, k) => (k === i ? { ...x, ...part } : x)));
  useEffect(() => setError(""), [rows, span, until, by, comment]);
  const missing = bare(rows).length === 0 ? "Choose at least one label." : !(end > Date.now()) ? "Say until when." : !by.trim() ? "Say who you are." : !comment.trim() ? "Say why." : "";
  const create = async (e) => {
    e.preventDefault();
    if (missing || busy) { setError(missing); return; }
    setBusy(true);
    const body = { matchers: bare(rows), endsAt: new Date(end).toISOString(), author: by.trim(), comment: comment.trim() };
    if (start) body.startsAt = new Date(from).toISOString(); else if (silence) body.startsAt = silence.startsAt;
    if (ends) body.endWhenNormalFor = ends;
    try {
      const made = silence ? await api.send("PUT", "/api/v1/silences/" + encodeURIComponent(silence.id), body) : await api.send("POST", "/api/v1/silences", body);
      author(by.trim());
      await loadSilences().catch(() => {});
      onDone(made);
    } catch (err) { setError(err.message); setBusy(false); }
  };
  return html`<form class="silence-form" onSubmit=${create}>
    <fieldset><legend>Alerts with all of</legend>${rows.map((r, i) => !r.spare && html`<${Matcher} key=${i} r=${r} change=${(part) => set(i, part)} />`)}
      <div class="chips">${rows.map((r, i) => r.spare && html`<button type="button" key=${i} class="spare" title="only those with this label, too" onClick=${() => set(i, { spare: false, on: true })}>+ ${r.key}=${r.value}</button>`)}
        <button type="button" class="plain" onClick=${() => setRows([...rows, { key: "", op: "=", value: "", on: true }])}>Another label</button></div></fieldset>
    <fieldset><legend>For</legend><span class="spans" role="group" aria-label="How long">${spans.map((s) => html`<button key=${s} type="button" aria-pressed=${String(span === s)} onClick=${() => setSpan(s)}>${s}</button>`)}</span>
      <details open=${Boolean(silence)}><summary>Exact times, or until it is calm</summary><label>until <input type="datetime-local" value=${span ? utc(end) : until} onInput=${(e) => { setSpan(""); setUntil(e.target.value); }} /> UTC</label>
      <label>from <input type="datetime-local" value=${start} placeholder="now" disabled=${silence?.state === "active"} onInput=${(e) => setStart(e.target.value)} /> UTC <span class="soft">${start ? "" : "now"}</span></label>
      <label>ends when they have been over for <select value=${ends} onChange=${(e) => setEnds(e.target.value)}><option value="">(not)</option>${[...new Set([...calm, ends])].filter(Boolean).map((d) => html`<option key=${d} value=${d} selected=${d === ends}>${d}</option>`)}</select></label></details></fieldset>
    <div class="signed"><label>Why <input type="text" name="comment" maxlength="1000" value=${comment} placeholder="what is being done about it" onInput=${(e) => setComment(e.target.value)} /></label>
      <label>Who <input type="text" name="author" maxlength="100" value=${by} autocomplete="name" onInput=${(e) => setBy(e.target.value)} /></label></div>
    <${Hits} hits=${hits} />
    ${error && html`<div class="error" role="alert">${error}</div>`}
    <div class="acts last"><button type="submit" class="primary" disabled=${busy}>${silence ? "Change it" : hits?.now?.count > 0 ? "Silence " + hits.now.count + (hits.now.count === 1 ? " alert" : " alerts") : "Silence"}</button>
      <button type="button" onClick=${onClose}>Cancel</button>${end > 0 && html` <span class="soft">until ${exact(end).slice(0, 16)} UTC, ${duration((end - from) / 1000)}</span>`}</div></form>`;
}

const utc = (t) => (t > 0 ? new Date(t).toISOString().slice(0, 16) : "");
const ofUtc = (text) => (text ? Date.parse(text + "Z") : NaN);

function Matcher({ r, change }) {
  return html`<div class=${"matcher" + (r.on ? "" : " off")}><input type="checkbox" checked=${r.on} aria-label=${"by " + (r.key || "this label")} onChange=${(e) => change({ on: e.target.checked })} />
    ${r.fixed ? html`<span class="key" onClick=${() => change({ on: !r.on })}>${r.key}</span>` : html`<input type="text" class="key" aria-label="Label" value=${r.key} placeholder="label" onInput=${(e) => change({ key: e.target.value.trim() })} />`}
    <select aria-label="Comparison" value=${r.op} onChange=${(e) => change({ op: e.target.value, on: true })}>${["=", "!=", "=~", "!~"].map((op) => html`<option key=${op} value=${op} selected=${op === r.op}>${op}</option>`)}</select>
    <input type="text" class="value" aria-label="Value" value=${r.value} spellcheck=${false} onInput=${(e) => change({ value: e.target.value, on: true })} /></div>`;
}

// usePreview asks what the matchers hit, and would have.
function usePreview(rows) {
  const [hits, setHits] = useState(null), list = bare(rows), key = JSON.stringify(list);
  useEffect(() => {
    if (list.every((m) => m.value === "")) { setHits(null); return undefined; }
    const abort = new AbortController();
    const timer = setTimeout(() => api.send("POST", "/api/v1/silences/preview", { matchers: list, since: "7d" }, abort.signal)
      .then(setHits, (err) => { if (err.name !== "AbortError") setHits({ error: err.message }); }), 250);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [key]);
  return hits;
}

function Hits({ hits }) {
  const all = alertList.value.filter(open).length;
  if (!hits) return html`<div class="hits" aria-live="polite"><p class="soft">…</p></div>`;
  if (hits.error) return html`<div class="hits" aria-live="polite"><p class="notice">${hits.error}</p></div>`;
  const { now, past } = hits, rulesOf = (h) => h.rules.slice(0, 5).map((r) => r.rule + (r.count > 1 ? " " + r.count : "")).join(", ") + (h.rules.length > 5 ? " and " + (h.rules.length - 5) + " rules more" : "");
  return html`<div class="hits" aria-live="polite">
    <p><b class="now">${now.count === 0 ? "It hits no alert now." : "It hits " + now.count + (now.count === 1 ? " alert" : " alerts") + " now"}</b>${now.count > 0 ? html` of ${all} that are on: ${rulesOf(now)}` : ""}</p>
    ${now.count > 0 && html`<ul>${now.alerts.slice(0, 6).map((a) => html`<li key=${a.incident}><span class=${"badge " + a.state}>${words[a.state]}</span> ${a.rule} <span class="tags">${tags(a.tags)}</span></li>`)}${now.count > 6 && html`<li class="soft">and ${now.count - 6} more</li>`}</ul>`}
    <p class="past">${past.count === 0 ? "In the last 7 days it would have hit none." : html`In the last 7 days it would have hit ${past.count}: ${rulesOf(past)}.`}</p>
    ${past.count > 0 && html`<details><summary>Which</summary><ul>${past.alerts.slice(0, 20).map((a) => html`<li key=${a.incident}><${When} t=${Date.parse(a.startsAt)} /> <a href=${pathOf(a.incident)}>${a.rule}</a> <span class="tags">${tags(a.tags)}</span></li>`)}</ul></details>`}</div>`;
}

// SilenceDialog is the form over the page it was asked for on.
export function SilenceDialog({ alert, whole, silence, say, onClose }) {
  const el = useRef(null);
  useLayoutEffect(() => { const back = document.activeElement; el.current.showModal(); return () => back?.isConnected && back.focus(); }, []);
  const done = (made) => {
    say({ text: (silence ? "The silence is changed: " : "Silenced ") + "until " + exact(Date.parse(made.endsAt)).slice(0, 16) + " UTC.", href: "/silences?id=" + encodeURIComponent(made.id), link: "See it, or end it" });
    onClose(made);
  };
  return html`<dialog ref=${el} class="silencing" aria-label="Silence" onCancel=${() => onClose()} onClick=${(e) => { if (e.target === el.current) onClose(); }}>
    <h2>${silence ? "Change a silence" : "Silence"} <span class="soft">${alert && alert.rule}</span></h2>
    <p class="soft">Alerts are judged and listed as ever; nobody is told of them until it ends.</p>
    <${Form} alert=${alert} whole=${whole} silence=${silence} onDone=${done} onClose=${() => onClose()} /></dialog>`;
}

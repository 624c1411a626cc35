// The editor of a rule: a form and its YAML are one model, the band is drawn while
// parameters are dragged, and what it would have paged for is judged before it is saved.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { get, send } from "/ui/api.js";
import { tags } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { go, note } from "/ui/router.js";
import { opened } from "/ui/shared.js";
import { Ranges, Trace } from "/ui/pages/rulechart.js";
import { Detector, Form, compact, said } from "/ui/pages/ruleform.js";
import { Trial } from "/ui/pages/ruletrial.js";
import { Tell } from "/ui/pages/ruletell.js";
import { pathOf } from "/ui/pages/rules.js";

// What was not saved is kept in this tab, by id, "" for a new one: {draft, tag}.
const place = "pulse.rules";
let drafts = {};
try { drafts = JSON.parse(sessionStorage.getItem(place)) || {}; } catch { /* then until the page is left */ }
function keep(id, what) {
  if (what) drafts[id] = what; else delete drafts[id];
  try { sessionStorage.setItem(place, JSON.stringify(drafts)); } catch { /* as above */ }
}
export const forget = (id) => keep(id, null);
const comparisons = /:(gt|ge|lt|le|and|or|not|rolling-count),?$/;

// suggested is a rule for an expression that somebody looks at.
function suggested(q) {
  const name = /(?:^|,)name,([^,]+),:eq/.exec(q)?.[1] || "rule", verdict = comparisons.test(q.trim());
  return {
    id: name.replace(/[^A-Za-z0-9._~-]+/g, "-").replace(/^\.+$/, "rule"), expr: q.trim(), detector: { kind: verdict ? "signal" : "auto" }, ...(verdict && { for: "1m" }), severity: "warn",
    annotations: { summary: verdict ? "" : name + " is {{.Value}}, expected {{.Expected}}", runbook: "" },
  };
}

// written is what the server reads of a model.
const written = (m) => (m.by === "yaml" ? m.yaml : JSON.stringify(m.draft));

// useCheck has the server read what was written last, in the form or as YAML.
function useCheck(first) {
  const [model, setModel] = useState({ draft: first, yaml: "", check: null, failed: "", by: "form" }), text = written(model);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const check = await send("POST", "/api/v1/rules/check", model.by === "yaml" ? { yaml: model.yaml } : { rule: compact(model.draft) }, stop.signal);
        setModel((m) => (written(m) !== text ? m : { ...m, check, failed: "", ...(m.by === "yaml" ? check.rule && { draft: check.rule } : { yaml: check.yaml }) }));
      } catch (err) { if (err.name !== "AbortError") setModel((m) => ({ ...m, failed: err.status === 403 ? "To check a rule a token needs the scope query." : err.message })); }
    }, model.by === "yaml" ? 250 : model.check ? 90 : 0);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [text, opened.value]);
  const change = (part, by) => setModel((m) => ({ ...m, ...part, by }));
  return [model, change];
}

// usable is a draft, unless the address asks for another new rule.
const usable = (kept, p) => (kept && !p.get("from") && (!p.get("q") || p.get("edit") || p.get("q") === kept.draft.expr) ? kept : null);

export function Editor({ rule, tag, file, search, onClose, onReload }) {
  const p = new URLSearchParams(search), id = rule?.id || "", [kept] = useState(() => usable(drafts[id], p)), from = p.get("from");
  const [copying, setCopying] = useState(Boolean(!rule && from && !kept)), [receivers, setReceivers] = useState(null);
  const [model, put] = useCheck(kept?.draft || rule || suggested(p.get("q") || ""));
  const [range, setRange] = useState(p.get("range") || "1d"), [zoom, setZoom] = useState(null), [group, setGroup] = useState(p.get("group") || ""), [seen, setSeen] = useState(null), [saved, setSaved] = useState({});
  const touched = useRef(Boolean(kept));
  const change = (part, by) => { touched.current = true; put(part, by); };
  const dirty = JSON.stringify(compact(model.draft)) !== JSON.stringify(compact(rule || {})), draft = compact(model.draft), locked = Boolean(file);
  useEffect(() => {
    get("/api/v1/receivers").then((all) => setReceivers(all.filter((r) => !r.heartbeat).map((r) => r.name)), () => setReceivers(null));
    if (!copying) return;
    get("/api/v1/rules/" + encodeURIComponent(from)).then((r) => { put({ draft: { ...r, id: r.id + "-copy" } }, "form"); setCopying(false); }, (err) => { setSaved({ bad: "The rule to copy could not be read: " + err.message }); setCopying(false); });
  }, [opened.value]);
  useEffect(() => { if (!locked && touched.current) keep(id, dirty ? { draft: model.draft, tag: kept?.tag || tag } : null); }, [model.draft, dirty]);
  useEffect(() => {
    const out = new URLSearchParams(rule ? { edit: "1" } : {});
    if (!rule && draft.expr) out.set("q", draft.expr);
    if (range !== "1d") out.set("range", range);
    if (group) out.set("group", group);
    note(out.toString() ? "?" + out : "");
  }, [draft.expr, range, group]);
  const { check } = model, findings = check?.findings || [], faults = findings.filter((f) => f.level === "error"), samples = check?.samples || [];
  const sample = samples.find((s) => tags(s.tags) === group) || samples[0];
  const save = async (over) => {
    setSaved({ busy: true });
    try {
      const header = over ? {} : rule ? { "If-Match": kept?.tag || tag } : { "If-None-Match": "*" };
      await send("PUT", "/api/v1/rules/" + encodeURIComponent(draft.id), draft, undefined, header);
      keep(id, null);
      if (rule) { setSaved({ good: "Saved: it is in force." }); onReload(); } else go(pathOf(draft.id));
    } catch (err) {
      setSaved(err.status === 412 ? { clash: true } : { bad: err.status === 403 ? "To save a rule a token needs the scope admin." : err.message });
    }
  };
  const discard = () => { keep(id, null); if (rule) onReload(); else { change({ draft: suggested(p.get("q") || "") }, "form"); } };
  useKeys({ s: ["save the rule", () => document.getElementById("save")?.click()], b: ["back-test it", () => document.getElementById("trial")?.click()] });
  const fields = { draft: model.draft, findings, disabled: locked, onChange: (next) => change({ draft: next }, "form") };
  if (copying) return html`<section class="panel" aria-busy="true"><p class="soft">Loading …</p></section>`;
  return html`<section class="panel rules" aria-label=${rule ? "Edit the rule" : "New rule"}>
    <div class="bar"><a class="soft" href="/rules">Rules</a><h2>${rule ? rule.id : "New rule"}</h2>
      <span class="end">${locked ? html`<a class="button primary" href=${"/rules/new?from=" + encodeURIComponent(id)}>Copy it</a>` : html`<button id="save" class="primary" disabled=${!check?.valid || saved.busy || (rule && !dirty)} onClick=${() => save(false)}>Save</button>${rule && dirty && html` <button onClick=${discard}>Discard changes</button>`}`} <button onClick=${() => { if (!rule) keep(id, null); onClose(); }}>${rule ? "Close" : "Cancel"}</button></span></div>
    ${locked && html`<div class="notice">This rule comes from the file <code>${file}</code> and is changed there. What is changed here is only tried; a copy can be saved.</div>`}
    ${kept && dirty && html`<p class="soft">There are changes that were not saved.</p>`}
    <div role="status">${saved.good && html`<p class="good">${saved.good}</p>`}${saved.bad && html`<div class="error">${saved.bad}</div>`}
      ${saved.clash && html`<div class="error">${rule ? "Somebody else has changed this rule since you opened it." : "There is a rule of this name already."} <button onClick=${() => { keep(id, null); if (rule) onReload(); else go(pathOf(draft.id)); }}>Look at theirs</button> <button class="danger" onClick=${() => save(true)}>Save mine over it</button></div>`}
      ${model.failed && html`<div class="error">${model.failed}</div>`}${faults.length > 0 && html`<p class="bad">${faults.length === 1 ? "One fault" : faults.length + " faults"}: it cannot be saved yet.</p>`}</div>
    <div class="bar"><${Ranges} label="Range" list=${["6h", "1d", "1w", "30d"]} value=${zoom ? "" : range} onChange=${(r) => { setZoom(null); setRange(r); }} />
      ${samples.length > 1 && html`<label>Group <select id="group" value=${tags(sample.tags)} onChange=${(e) => setGroup(e.target.value)}>${samples.map((s) => html`<option key=${tags(s.tags)} value=${tags(s.tags)} selected=${s === sample}>${tags(s.tags) || "the one group"}</option>`)}</select></label>`}</div>
    <${Trace} rule=${draft.expr && draft.id ? draft : null} force=${rule && dirty ? rule : null} group=${sample ? sample.tags : null} range=${zoom || range} onZoom=${(a, b) => setZoom({ from: a, to: b })}
      onTrace=${({ trace }) => { const v = trace?.value.filter((x) => x !== null) || []; setSeen(v.length ? [v.reduce((a, b) => Math.min(a, b)), v.reduce((a, b) => Math.max(a, b))] : null); }} /></section>
  <div class="rule-editor"><section class="panel rules form" aria-label="Form"><${Detector} ...${fields} disabled=${false} seen=${seen} /><${Form} ...${fields} fixed=${Boolean(rule)} receivers=${receivers} check=${check} /></section>
    <section class="panel rules" aria-label="YAML"><${Yaml} text=${model.yaml} findings=${findings} locked=${locked} onChange=${(yaml) => change({ yaml }, "yaml")} /></section></div>
  <${Trial} rule=${draft} valid=${Boolean(check?.valid)} force=${rule} dirty=${dirty} search=${search} />
  <${Tell} rule=${draft} sample=${sample} valid=${Boolean(check?.valid)} />`;
}

// Yaml is the text of the rule, with what is wrong at its lines.
function Yaml({ text, findings, locked, onChange }) {
  const box = useRef(null), gutter = useRef(null), lines = text.split("\n").length, worst = new Map();
  for (const f of findings) if (f.line && worst.get(f.line) !== "error") worst.set(f.line, f.level);
  const show = (f) => {
    const at = text.split("\n").slice(0, f.line - 1).join("\n").length + (f.line > 1 ? 1 : 0) + Math.max(0, f.column - 1), end = text.indexOf("\n", at);
    box.current.focus();
    box.current.setSelectionRange(at, end < 0 ? text.length : end);
  };
  return html`<h2>YAML <span class="soft">as in a rule file</span></h2><div class="yaml"><div class="gutter" aria-hidden="true" ref=${gutter}>${Array.from({ length: lines }, (_, i) => html`<span key=${i} class=${worst.get(i + 1) || ""}>${i + 1}</span>`)}</div>
    <textarea id="yaml" ref=${box} wrap="off" spellcheck=${false} aria-label="The rule as YAML" rows=${Math.max(14, Math.min(40, lines + 1))} value=${text} readonly=${locked} onScroll=${(e) => { gutter.current.scrollTop = e.target.scrollTop; }} onInput=${(e) => onChange(e.target.value)}></textarea></div>
    <ul class="findings">${findings.map((f) => html`<li key=${f.message} class=${f.level}>${f.line ? html`<button class="plain" onClick=${() => show(f)}>${f.line}:${f.column}</button>` : ""} ${said(f.message)} <span class="soft">${f.level}, ${f.check}</span></li>`)}</ul>
    ${findings.length === 0 && text && html`<p class="soft">Nothing is wrong with it.</p>`}`;
}

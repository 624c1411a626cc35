// A builder of expressions for those who do not write them: name, filters, function, groups.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { build, functions, operators, read, scope } from "/ui/pages/exploreshape.js";
import { styled } from "/ui/pages/explorestyle.js";
await styled;

const fresh = { name: "", filters: [], func: "sum", by: [], perStep: false, top: null, offset: "" };

// Pick is a field that proposes values of the index.
function Pick({ id, value, onPick, get, fresh: again, label, placeholder }) {
  const [text, setText] = useState(value), [list, setList] = useState([]);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    let gone = false;
    const timer = setTimeout(() => get().then((found) => { if (!gone) setList(found); }, () => { if (!gone) setList([]); }), 120);
    return () => { gone = true; clearTimeout(timer); };
  }, [again]);
  return html`<input id=${id} class="text" list=${id + "-list"} aria-label=${label} placeholder=${placeholder} value=${text} autocomplete="off" spellcheck=${false}
    onInput=${(e) => { setText(e.target.value); if (list.some((x) => x.value === e.target.value)) onPick(e.target.value); }} onChange=${(e) => onPick(e.target.value.trim())} />
    <datalist id=${id + "-list"}>${list.map((x) => html`<option value=${x.value}>${x.series ? x.series + " series" : ""}</option>`)}</datalist>`;
}

const asList = (answer) => (Array.isArray(answer) ? answer : answer.values || []).map((x) => (typeof x === "string" ? { value: x } : { value: x.value ?? x.key ?? x.tag, series: x.count ?? x.series }));
const values = (key, q) => api.values(key, q, 200).then(asList);
const keys = (q) => api.get("/api/v1/tags?" + new URLSearchParams({ limit: "200", ...(q ? { q } : {}) })).then(asList).then((all) => all.filter((k) => k.value !== "name" && !k.value.startsWith("atlas.")));

export function Tool({ text, write, run, close }) {
  const [shape, setShape] = useState(() => read(text) || fresh), [written, setWritten] = useState(text), [mine, setMine] = useState(() => Boolean(read(text)));
  useEffect(() => { // somebody wrote: it is read back, when it has this shape
    if (text === written) return;
    const found = read(text);
    setWritten(text);
    setMine(Boolean(found));
    if (found) setShape(found);
  }, [text]);
  useEffect(() => { document.getElementById("build-name")?.focus(); }, []);
  const set = (change) => {
    const next = { ...shape, ...change }, q = build(next);
    setShape(next);
    if (q) { setWritten(q); setMine(true); write(q); }
  };
  const filter = (i, change) => set({ filters: shape.filters.map((f, j) => (i === j ? { ...f, ...change } : f)) });
  const about = scope(shape, -1), result = build(shape);
  return html`<form class="tool" id="build" aria-label="Builder" onSubmit=${(e) => { e.preventDefault(); if (result) run(result); }} onKeyDown=${(e) => { if (e.key === "Escape") { e.stopPropagation(); close(); } }}>
    <h2>Builder <button type="button" onClick=${close} aria-label="Close">×</button></h2>
    ${!mine && html`<p>What is written is more than these fields can show. What is chosen here takes its place.</p>`}
    <div class="part"><span>Name</span><${Pick} id="build-name" label="Name" placeholder="what is measured" value=${shape.name} get=${() => values("name", "")} fresh="" onPick=${(name) => set({ name })} />
      <span>Only where</span><div>${shape.filters.map((f, i) => html`<div class="filter" key=${i}>
        <${Pick} id=${"build-key-" + i} label="Key" placeholder="key" value=${f.key} get=${() => keys(scope(shape, i))} fresh=${scope(shape, i)} onPick=${(key) => filter(i, { key })} />
        <select aria-label="Condition" value=${f.op} onChange=${(e) => filter(i, { op: e.target.value })}>${Object.entries(operators).map(([op, does]) => html`<option value=${op} selected=${op === f.op}>${does}</option>`)}</select>
        ${f.op !== "has" && html`<${Pick} id=${"build-value-" + i} label="Value" placeholder=${f.op === "in" ? "value, value, …" : f.op === "re" ? "pattern, from the start" : "value"} value=${f.value} get=${() => (f.key ? values(f.key, scope(shape, i)) : Promise.resolve([]))} fresh=${f.key + scope(shape, i)} onPick=${(value) => filter(i, { value })} />`}
        <button type="button" aria-label=${"Remove the condition of " + (f.key || "no key")} onClick=${() => set({ filters: shape.filters.filter((_, j) => j !== i) })}>×</button></div>`)}
        <button type="button" id="build-filter" onClick=${() => set({ filters: [...shape.filters, { key: "", op: "eq", value: "" }] })}>Add a condition</button></div>
      <span>Function</span><div class="row"><select id="build-func" aria-label="Function" value=${shape.func} onChange=${(e) => set({ func: e.target.value })}>${Object.entries(functions).map(([f, does]) => html`<option value=${f} selected=${f === shape.func}>${does}</option>`)}</select>
        <label><input type="checkbox" id="build-step" checked=${shape.perStep} onChange=${(e) => set({ perStep: e.target.checked })} /> count per step, of rates per second</label></div>
      <span>A line for each</span><div class="row">${shape.by.map((key) => html`<span class="chip" key=${key}>${key}<button type="button" aria-label=${"Not for each " + key} onClick=${() => set({ by: shape.by.filter((k) => k !== key) })}>×</button></span>`)}
        <${Pick} key=${shape.by.length} id="build-by" label="A line for each" placeholder="key" value="" get=${() => keys(about)} fresh=${about + shape.by} onPick=${(key) => { if (key && !shape.by.includes(key)) set({ by: [...shape.by, key] }); }} /></div>
      <span>Lines</span><div class="row"><select id="build-top" aria-label="Which lines" value=${shape.top ? shape.top.word + "," + shape.top.stat : ""} onChange=${(e) => { const [word, stat] = e.target.value.split(","); set({ top: word ? { word, stat, n: shape.top?.n || 5 } : null }); }}>
        ${[["", "all"], ["topk,max", "highest maximum"], ["topk,avg", "highest average"], ["topk,last", "highest last value"], ["bottomk,max", "lowest maximum"], ["bottomk,avg", "lowest average"]].map(([v, does]) => html`<option value=${v} selected=${v === (shape.top ? shape.top.word + "," + shape.top.stat : "")}>${does}</option>`)}</select>
        ${shape.top && html`<input type="number" id="build-n" aria-label="How many lines" min="1" max="1000" value=${shape.top.n} onInput=${(e) => { const n = Number(e.target.value); if (n >= 1) set({ top: { ...shape.top, n } }); }} />`}</div>
      <span>Time</span><select id="build-offset" aria-label="Time" value=${shape.offset} onChange=${(e) => set({ offset: e.target.value })}>${[["", "as it is"], ["1h", "one hour before"], ["1d", "one day before"], ["1w", "one week before"], ...(["", "1h", "1d", "1w"].includes(shape.offset) ? [] : [[shape.offset, shape.offset + " before"]])].map(([v, does]) => html`<option value=${v} selected=${v === shape.offset}>${does}</option>`)}</select></div>
    <div class="row"><button class="primary" disabled=${!result}>Graph</button><p role="status">${result ? "" : shape.name ? "A condition lacks its key or value." : "Pick a name first."}</p></div></form>`;
}

// What was asked before, in this browser.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { duration, time } from "/ui/format.js";
import { styled } from "/ui/pages/explorestyle.js";
await styled;

function read() {
  try { return JSON.parse(localStorage.getItem("queries") || "[]").filter((x) => typeof x?.q === "string"); } catch { return []; }
}
function keep(list) {
  try { localStorage.setItem("queries", JSON.stringify(list)); } catch { /* private windows have no storage */ }
  return list;
}

export function Tool({ run, close }) {
  const [list, setList] = useState(read), [find, setFind] = useState(""), box = useRef(null), first = useRef(null);
  useEffect(() => { first.current?.focus(); }, []);
  const words = find.toLowerCase().split(/\s+/).filter(Boolean), rows = list.filter(({ q }) => words.every((w) => q.toLowerCase().includes(w)));
  const ask = (q) => { run(q); close(); };
  const move = (e) => {
    const all = [...box.current.querySelectorAll(".ask-again")], at = all.indexOf(document.activeElement);
    if (e.key === "Escape") { e.stopPropagation(); close(); }
    else if (e.key === "ArrowDown") all[Math.min(all.length - 1, at + 1)]?.focus();
    else if (e.key === "ArrowUp" && at === 0) first.current.focus();
    else if (e.key === "ArrowUp") all[at - 1]?.focus();
    else if (e.key === "Delete" && at >= 0) { drop(rows[at].q); first.current.focus(); }
    else if (e.key === "Enter" && e.target === first.current && rows.length > 0) ask(rows[0].q);
    else return;
    e.preventDefault();
  };
  const drop = (q) => setList(keep(read().filter((x) => x.q !== q)));
  return html`<div class="tool" role="group" aria-label="History" ref=${box} onKeyDown=${move}><h2>History <button onClick=${close} aria-label="Close">×</button></h2>
    <div class="row"><input ref=${first} type="search" aria-label="Find in what was asked" placeholder="find" value=${find} onInput=${(e) => setFind(e.target.value)} />
      ${list.length > 0 && html`<button onClick=${() => setList(keep([]))} title="there is no way back">${"Forget all " + list.length}</button>`}</div>
    ${rows.length === 0 ? html`<p>${list.length === 0 ? "Nothing yet: expressions that were answered are kept here, in this browser only." : "Nothing that was asked has this in it."}</p>`
      : html`<ul>${rows.map(({ q, t }) => html`<li key=${q}><button class="ask-again" onClick=${() => ask(q)}>${q}</button><time title=${time(t) + " UTC"}>${duration((Date.now() - t) / 1000)} ago</time>
        <button aria-label=${"Forget " + q} title="forget it (Delete)" onClick=${() => drop(q)}>×</button></li>`)}</ul>`}</div>`;
}

// Choosing what the board shows: rules and expressions, in their order, and over what time.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { rules } from "/ui/shared.js";
import { nameOf } from "/ui/pages/board.js";
import { ages } from "/ui/pages/boardpanel.js";

const ranges = ["15m", "1h", "3h", "6h", "12h", "1d"];

export function Choice({ s, set, list, most, onClose }) {
  const [text, setText] = useState(""), [said, setSaid] = useState(""), input = useRef(null);
  useEffect(() => input.current.focus(), []);
  const put = (panels, what) => { set({ panels: panels.length > 0 ? panels : null }); setSaid(what); };
  const move = (i, by) => { const next = [...list]; [next[i], next[i + by]] = [next[i + by], next[i]]; put(next, "Moved."); };
  const add = (x) => {
    if (list.length >= most) { setSaid("A board has at most " + most + " panels."); return; }
    if (list.some((y) => nameOf(y) === nameOf(x))) { setSaid("It is there already."); return; }
    put([...(s.panels || []), x], "Added.");
    setText("");
  };
  const part = text.trim().toLowerCase();
  const hits = rules.value.filter((r) => part === "" || r.id.toLowerCase().includes(part) || r.expr.toLowerCase().includes(part)).filter((r) => !(s.panels || []).some((x) => x.rule === r.id && !x.group)).slice(0, 8);
  const looksLike = text.includes(",:");
  const offs = ["", "1w", "1d", "1h", "off"];
  if (s.off && !offs.includes(s.off)) offs.push(s.off);
  const times = ranges.includes(s.range) ? ranges : [s.range, ...ranges];
  return html`<section class="panel board-choice" aria-label="What the board shows"><h2>What the board shows <button class="close" aria-label="Close" onClick=${onClose}>✕</button></h2>
    <div class="sides"><div><p class="soft">${s.panels ? "Your choice, kept in the address and by this browser." : "Nothing is chosen: rules in trouble come first, then the most severe."}</p>
      <ol>${list.map((x, i) => html`<li key=${nameOf(x)}><span class="chosen">${x.rule ? html`<b>${x.rule}</b>` : html`<code>${x.q}</code>`}</span>${s.panels && html`
        <button aria-label=${"move up: " + (x.rule || x.q)} disabled=${i === 0} onClick=${() => move(i, -1)}>↑</button><button aria-label=${"move down: " + (x.rule || x.q)} disabled=${i === list.length - 1} onClick=${() => move(i, 1)}>↓</button>
        <button aria-label=${"take off: " + (x.rule || x.q)} onClick=${() => put(list.filter((_, j) => j !== i), "Taken off.")}>✕</button>`}</li>`)}</ol>
      ${s.panels && html`<button onClick=${() => put([], "The board chooses by itself again.")}>Let the board choose</button>`}</div>
    <div><label class="find">Add a rule or an expression <input ref=${input} type="text" spellcheck=${false} autocomplete="off" placeholder="part of a rule, or name,sps,:eq,:sum" value=${text} onInput=${(e) => setText(e.target.value)}
        onKeyDown=${(e) => { if (e.key === "Enter" && looksLike) add({ q: text.trim() }); else if (e.key === "Enter" && hits.length > 0) add({ rule: hits[0].id }); else if (e.key === "Escape") onClose(); }} /></label>
      <ul class="hits">${looksLike && html`<li><button class="primary" onClick=${() => add({ q: text.trim() })}>Add this expression</button></li>`}
        ${hits.map((r) => html`<li key=${r.id}><button onClick=${() => add({ rule: r.id })}><b>${r.id}</b> <code>${r.expr}</code></button></li>`)}
        ${hits.length === 0 && !looksLike && html`<li class="soft">No rule has that in its name or its expression.</li>`}</ul></div></div>
    <div class="options"><span class="segments" role="group" aria-label="Range">${times.map((r) => html`<button key=${r} aria-pressed=${String(r === s.range)} onClick=${() => set({ range: r })}>${r}</button>`)}</span>
      <label>Compare with <select value=${s.off} onChange=${(e) => set({ off: e.target.value })}>${offs.map((o) => html`<option key=${o} value=${o} selected=${o === s.off}>${o === "" ? "a week before, or what there is" : o === "off" ? "nothing" : ages[o] || o + " before"}</option>`)}</select></label>
      <label>Next panels after <select value=${String(s.turn)} onChange=${(e) => set({ turn: Number(e.target.value) })}>${[...new Set([10, 20, 30, 60, 300, s.turn])].sort((a, b) => a - b).map((n) => html`<option key=${n} value=${String(n)} selected=${n === s.turn}>${n} s</option>`)}</select></label>
      <span role="status" class="soft">${said}</span></div></section>`;
}

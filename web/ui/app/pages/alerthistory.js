// The history of alerts, a page at a time, newest first.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, number, tags } from "/ui/format.js";
import { go, note } from "/ui/router.js";
import { useKeys } from "/ui/keys.js";
import { opened } from "/ui/shared.js";
import { When } from "/ui/pages/alertbits.js";
import { ended, figures, pathOf, since, words } from "/ui/pages/alertdata.js";
import { Filters, query, read, write } from "/ui/pages/alertfilters.js";

const size = 50;

export function History({ search }) {
  const f = read(search), [sel, setSel] = useState(f.sel), chosen = useRef(sel), [got, setGot] = useState({}), asked = query(f) + "&after=" + f.after;
  useEffect(() => {
    const abort = new AbortController(), p = query(f);
    p.set("limit", String(size));
    if (f.after) p.set("after", f.after);
    api.page("/api/v1/alerts?" + p, abort.signal).then(({ body, next }) => setGot({ asked, list: body, next: next && new URLSearchParams(next.split("?")[1]).get("after") }),
      (err) => { if (err.name !== "AbortError") setGot({ asked, error: err.message }); });
    return () => abort.abort();
  }, [asked, opened.value]);
  const change = (part) => go("/alerts" + write({ ...f, ...part, sel: "" }, "history"));
  const list = got.list || [], stale = got.asked !== asked;
  const move = (by) => {
    const at = list.findIndex((a) => a.incident === chosen.current), next = list[at < 0 ? 0 : Math.max(0, Math.min(list.length - 1, at + by))];
    if (next) { chosen.current = next.incident; setSel(next.incident); note(write({ ...f, sel: next.incident }, "history")); document.getElementById("past-" + next.incident)?.scrollIntoView({ block: "nearest" }); }
  };
  const latest = useRef({}); // of what is drawn, for keys that follow at once
  latest.current = { move, open: () => { if (list.some((a) => a.incident === chosen.current)) go(pathOf(chosen.current)); } };
  useKeys({ j: ["the next alert", () => latest.current.move(1)], k: ["the alert before", () => latest.current.move(-1)], Enter: ["open it", () => latest.current.open()] });
  return html`<${Filters} f=${f} all=${list} view="history" change=${change} />
    ${got.error && !stale && html`<div class="error" role="alert">${got.error}</div>`}
    <section class="panel" aria-label="History" aria-busy=${String(stale)}>
      ${list.length === 0 ? html`<p class="empty">${stale ? "…" : got.error ? "" : "No alert that is kept fits."}</p>` : html`<table class="cards history"><thead><tr><th>state</th><th>began</th><th>rule</th><th class="num">lasted</th><th class="num">value</th><th class="num">expected</th><th>cause</th><th>receivers</th></tr></thead>
        <tbody>${list.map((a) => html`<${Past} key=${a.incident} a=${a} selected=${a.incident === sel} />`)}</tbody></table>`}
      <p class="pager">${f.after && html`<button onClick=${() => change({ after: "" })}>Newest</button>`}${got.next && !stale && html`<button class="older" onClick=${() => { change({ after: got.next }); }}>Older</button>`}
        <span class="soft">${list.length > 0 && list.length + (got.next ? " of more" : list.length === 1 ? " alert" : " alerts")}</span></p></section>`;
}

function Past({ a, selected }) {
  const { value, expected } = figures(a);
  return html`<tr id=${"past-" + a.incident} class=${a.state} aria-current=${selected ? "true" : null} onClick=${(e) => { if (!e.target.closest("a") && !String(getSelection())) go(pathOf(a.incident)); }}>
    <td><span class=${"badge " + a.state}>${words[a.state]}</span>${a.flapping && html` <span class="badge pending">flapping</span>`}</td><td><${When} t=${since(a)} /></td>
    <td class="name"><a href=${pathOf(a.incident)}>${a.rule}</a> <span class="tags">${tags(a.tags)}</span></td>
    <td class="num" data-label="lasted">${duration(((ended(a) || Date.now()) - since(a)) / 1000)}</td><td class="num" data-label="value">${number(value)}</td><td class="num" data-label="expected">${number(expected)}</td>
    <td data-label="cause">${a.cause || "–"}</td><td data-label="to" class="names">${a.receivers.join(", ") || (a.state === "pending" ? "–" : "nobody")}</td></tr>`;
}

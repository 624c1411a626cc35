// The page of one rule: what it watches and how its groups stand, or its editor.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { get, page, send } from "/ui/api.js";
import { duration, link, number, tags, time } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { go, note } from "/ui/router.js";
import { opened, repeat } from "/ui/shared.js";
import { Ranges, Trace, span } from "/ui/pages/rulechart.js";
import { Editor, forget } from "/ui/pages/ruleedit.js";
import { Age, State, cost, pathOf } from "/ui/pages/rules.js";

const ranges = ["1h", "6h", "1d", "1w"];

// exploreOf is the address of the graph of an expression, with the band of a rule.
export function exploreOf(q, { s, e, band } = {}) {
  const p = new URLSearchParams({ q });
  if (s) { p.set("s", s); p.set("e", e); }
  if (band) p.set("band", band);
  return "/?" + p;
}

// Rule shows the rule of an id, or the editor of a new one for "".
export function Rule({ id, search }) {
  const p = new URLSearchParams(search);
  const [found, setFound] = useState(id ? null : { rule: null, tag: null, stats: {} }), [failed, setFailed] = useState(null), [again, setAgain] = useState(0);
  const [edit, setEdit] = useState(!id || p.get("edit") === "1");
  useEffect(() => {
    if (!id) return undefined;
    const stop = new AbortController();
    const path = "/api/v1/rules/" + encodeURIComponent(id);
    Promise.all([page(path, stop.signal), get(path + "/stats", stop.signal)]).then(([{ body, tag }, stats]) => { setFound({ rule: body, tag, stats }); setFailed(null); },
      (err) => { if (err.name !== "AbortError") setFailed(err); });
    return () => stop.abort();
  }, [id, again, opened.value]);
  if (failed) return html`<section class="panel" aria-label="Rule"><h2>${id}</h2><div class="error" role="alert">${failed.status === 404 ? "There is no rule of this name: it was deleted, or never there." : failed.status === 403 ? "Rules are shown to tokens with the scope query." : failed.message}</div>
    <p><a href="/rules">All rules</a> ${failed.passing && html`<button onClick=${() => setAgain(again + 1)}>Try again</button>`}</p></section>`;
  if (!found) return html`<section class="panel" aria-busy="true"><p class="soft">Loading …</p></section>`;
  const { rule, tag, stats } = found;
  if (edit) return html`<${Editor} key=${tag} rule=${rule} tag=${tag} file=${stats.file} search=${search} onReload=${() => { setFound(null); setAgain(again + 1); }}
    onClose=${() => { if (!id) { go("/rules"); return; } note(""); setEdit(false); setAgain(again + 1); }} />`;
  return html`<${Now} rule=${rule} tag=${tag} stats=${stats} search=${search} onEdit=${() => { note("?edit=1"); setEdit(true); }} />`;
}

function Now({ rule, tag, stats, search, onEdit }) {
  const p = new URLSearchParams(search), path = "/api/v1/rules/" + encodeURIComponent(rule.id);
  const [range, setRange] = useState(ranges.includes(p.get("range")) ? p.get("range") : "6h"), [zoom, setZoom] = useState(Number(p.get("s")) ? { from: Number(p.get("s")), to: Number(p.get("e")) } : null);
  const [list, setList] = useState(null), [find, setFind] = useState(p.get("find") || ""), [chosen, setChosen] = useState(p.get("group")), [fresh, setFresh] = useState(0), [live, setLive] = useState(stats), [trouble, setTrouble] = useState("");
  useEffect(() => {
    const out = new URLSearchParams({ range });
    if (zoom) { out.set("s", zoom.from); out.set("e", zoom.to); }
    if (chosen) out.set("group", chosen);
    if (find) out.set("find", find);
    note("?" + out);
  }, [range, zoom, chosen, find]);
  useEffect(() => repeat(3000, async () => {
    try {
      const [groups, now] = await Promise.all([get(path + "/groups?limit=1000"), get(path + "/stats")]);
      setList(groups);
      setLive(now);
      setTrouble("");
    } catch (err) { setTrouble(err.message); }
  }), [rule.id]);
  useEffect(() => { const timer = setInterval(() => { if (!document.hidden && !zoom) setFresh((n) => n + 1); }, 15000); return () => clearInterval(timer); }, [zoom]);
  useKeys({ e: ["edit the rule", onEdit] });
  const groups = list?.groups || [], keyOf = (g) => tags(g.tags) || "the one group";
  const shown = groups.find((g) => keyOf(g) === chosen) || groups[0], fit = groups.filter((g) => find.toLowerCase().split(/\s+/).every((w) => keyOf(g).toLowerCase().includes(w)));
  const state = live.lastError && !live.closed ? "broken" : groups.some((g) => g.state === "firing") ? "firing" : groups.some((g) => g.noData) ? "nodata" : groups.some((g) => g.state === "pending") ? "pending" : live.catchingUp ? "learning" : list && groups.length === 0 ? "empty" : "ok";
  const runbook = link(rule.annotations?.runbook || "");
  return html`<section class="panel rules" aria-label="Rule">
    <div class="bar"><a class="soft" href="/rules">Rules</a><h2>${rule.id}</h2><${State} state=${state} /><span class="soft">${rule.severity} · ${rule.owner} · ${live.file ? html`from <span title=${live.file}>${live.file.split("/").pop()}</span>` : "made over the API"}</span>
      <span class="end"><button class="primary" onClick=${onEdit}>${live.file ? "Look into it" : "Edit"}</button> <a class="button" href=${"/rules/new?from=" + encodeURIComponent(rule.id)}>Copy</a> <a class="button" href=${exploreOf(rule.expr, { band: rule.id })}>Explore</a> ${!live.file && html`<${Delete} rule=${rule} tag=${tag} groups=${groups} />`}</span></div>
    <code class="expr">${rule.expr}</code>
    ${rule.annotations?.summary && html`<p class="soft">${rule.annotations.summary}</p>`}${runbook && html`<p><a href=${runbook} rel="noreferrer noopener" target="_blank">runbook</a></p>`}
    ${live.lastError && html`<div class="error">${live.lastError}</div>`}${live.catchingUp && html`<div class="notice">It reads its history and is not up to date yet.</div>`}${trouble && html`<div class="notice" role="status">${trouble}</div>`}
    <dl class="facts-line"><div><dt>judged</dt><dd><${Age} ms=${live.lastClosed} /></dd></div><div><dt>step</dt><dd>${list ? duration(list.step / 1000).replace(/^0 s$/, list.step + " ms") : "–"}</dd></div>
      <div><dt>sources</dt><dd>${list ? list.reported + "/" + list.sources : "–"}</dd></div><div><dt>groups</dt><dd>${live.groups}</dd></div><div><dt>series</dt><dd>${live.series}</dd></div><div><dt>cost of a step</dt><dd>${cost(live.costNs / Math.max(1, live.closed))}</dd></div>
      <div><dt>judged too late</dt><dd>${live.missed}</dd></div><div><dt>detector</dt><dd>${rule.detector.kind}</dd></div><div><dt>for</dt><dd>${rule.for}</dd></div></dl></section>
  <section class="panel rules" aria-label="What it watches"><div class="bar"><h2>${shown ? keyOf(shown) : "What it watches"}</h2><${Ranges} label="Range" list=${ranges} value=${zoom ? "" : range} onChange=${(r) => { setZoom(null); setRange(r); }} />
      ${zoom && html`<span class="soft">${time(zoom.from)} to ${time(zoom.to)} UTC</span>`}<span class="end">${shown && html`<a href=${exploreOf(rule.expr, { s: span(zoom || range)[0], e: Math.round(span(zoom || range)[1]), band: rule.id })}>in Explore</a>`}</span></div>
    <${Trace} rule=${rule} group=${shown ? shown.tags : null} range=${zoom || range} fresh=${fresh} onZoom=${(from, to) => setZoom({ from, to })} /></section>
  <section class="panel rules" aria-label="Groups"><div class="bar"><h2>Groups ${list && html`<span class="soft">${list.total.toLocaleString("en")}</span>`}</h2>${list?.total > 5 && html`<input type="search" aria-label="Find a group" placeholder="Find a group" value=${find} onInput=${(e) => setFind(e.target.value)} />`}</div>
    ${list && groups.length === 0 && html`<div class="empty">No group yet: the expression has had no value since the rule was put.</div>`}
    ${fit.length > 0 && html`<table class="cards"><thead><tr><th>State</th><th>Group</th><th class="num">Value</th><th class="num">Expected</th><th class="num">Band</th><th class="num">Score</th><th>Since</th></tr></thead>
    <tbody>${fit.slice(0, 200).map((g) => html`<${Group} key=${keyOf(g)} g=${g} name=${keyOf(g)} on=${g === shown} onShow=${() => setChosen(keyOf(g))} />`)}</tbody></table>`}
    ${fit.length > 200 && html`<p class="soft">200 of ${(find ? fit.length : list.total).toLocaleString("en")} are shown: find one.</p>`}${list?.more && html`<p class="soft">The first ${groups.length} are here, those with an alert first.</p>`}</section>
  ${shown && Object.keys(shown.facts).length > 0 && html`<section class="panel rules" aria-label="Facts"><h2>What the detector knows <span class="soft">of ${keyOf(shown)}</span></h2>
    <dl class="facts-line">${Object.entries(shown.facts).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, v]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt><dd>${number(v)}</dd></div>`)}</dl></section>`}`;
}

function Group({ g, name, on, onShow }) {
  const incident = g.incident || g.noData, since = g.startsAt || g.pendingSince;
  const clock = g.for ? "for " + duration(g.for.passed / 1000) + " of " + duration(g.for.needs / 1000) : g.keep ? "over in " + duration((g.keep.needs - g.keep.passed) / 1000) : g.absent ? "without data for " + duration(g.absent / 1000) : g.decision ? g.decision : "";
  return html`<tr class=${g.state === "firing" ? "firing-row" : ""} aria-current=${on ? "true" : null}><td class="states"><${State} state=${g.noData && g.state === "inactive" ? "nodata" : g.state} />${g.out && g.state === "inactive" ? html` <span class="soft">out: ${g.cause}</span>` : ""}</td>
    <td class="id"><button class="plain" aria-pressed=${String(on)} onClick=${onShow}>${name}</button></td><td class="num" data-label="Value">${number(g.value)}</td><td class="num" data-label="Expected">${number(g.expected)}</td>
    <td class="num" data-label="Band">${g.lower === null && g.upper === null ? "–" : g.upper === null ? "≥ " + number(g.lower) : g.lower === null ? "≤ " + number(g.upper) : number(g.lower) + " … " + number(g.upper)}</td><td class="num" data-label="Score">${number(g.score)}</td>
    <td data-label="Since">${since ? html`<${Age} ms=${since} /> ` : ""}${clock && html`<span class="soft">${clock}</span>`} ${!since && !clock && !incident && html`<span class="soft">–</span>`}${incident && html`<a href=${"/alerts/" + encodeURIComponent(incident)}>alert</a>`}</td></tr>`;
}

// Delete asks once, and says what it does.
function Delete({ rule, tag, groups }) {
  const [asked, setAsked] = useState(false), [failed, setFailed] = useState(""), yes = useRef(null), on = groups.filter((g) => g.incident || g.noData).length;
  useEffect(() => { if (asked) yes.current.focus(); }, [asked]);
  const remove = async () => {
    try {
      await send("DELETE", "/api/v1/rules/" + encodeURIComponent(rule.id), undefined, undefined, { "If-Match": tag });
      forget(rule.id);
      go("/rules");
    } catch (err) { setFailed(err.status === 403 ? "To delete a rule a token needs the scope admin." : err.status === 412 ? "Somebody has changed the rule since this page was opened: look at it again first." : err.message); }
  };
  if (!asked) return html`<button class="danger" onClick=${() => setAsked(true)}>Delete</button>`;
  return html`<span class="confirm" role="group" aria-label="Delete the rule"><span>It is not judged any more${on > 0 ? ", and its " + on + " open alerts are resolved" : ""}.</span>
    <button class="danger" ref=${yes} onClick=${remove}>Delete ${rule.id}</button> <button onClick=${() => setAsked(false)}>Keep it</button>${failed && html`<span class="error" role="alert">${failed}</span>`}</span>`;
}

export { pathOf };

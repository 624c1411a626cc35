// The board: chosen streams large and live, for the wall. What is chosen is in the address, and
// this browser remembers it.
import { html, signal, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, ms } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { note } from "/ui/router.js";
import { alertList, away, polled, repeat, rules, silent, trouble } from "/ui/shared.js";
import { severe, urgency } from "/ui/pages/alertdata.js";
import { drift, run, second, woken } from "/ui/pages/boardclock.js";
import { Choice } from "/ui/pages/boardchoice.js";
import { Panel } from "/ui/pages/boardpanel.js";

const most = 24;       // panels that may be chosen
const perPage = 4;     // panels at once: more of them cannot be read from afar
const staleAfter = 20; // s without an answer
const memory = "pulse.board";
const own = "name,pulse.ingest.points,:eq,:sum"; // what a server without rules has
const rank = { firing: 0, nodata: 1, broken: 2, pending: 3 };

// read takes the state from an address; panels are [{rule, group} or {q}], null for no choice.
function read(search) {
  const p = new URLSearchParams(search), range = p.get("range") || "", off = p.get("off") || "", turn = Number(p.get("turn"));
  const panels = p.getAll("p").slice(0, most).map((text) => {
    if (text.startsWith("q:")) return { q: text.slice(2) };
    const [rule, group] = text.replace(/^rule:/, "").split("@");
    return { rule, group: group === undefined ? undefined : Object.fromEntries(new URLSearchParams(group)) };
  });
  return { panels: panels.length > 0 ? panels : null, range: ms(range) >= 1000 && ms(range) <= 7 * 864e5 ? range : "1h", off: off === "off" || ms(off) > 0 ? off : "", turn: turn >= 5 && turn <= 3600 ? turn : 30, full: p.get("full") === "1" };
}
export const nameOf = (x) => (x.rule ? "rule:" + x.rule + (x.group ? "@" + new URLSearchParams(x.group) : "") : "q:" + x.q);
function write(s) {
  const p = new URLSearchParams();
  for (const x of s.panels || []) p.append("p", nameOf(x));
  if (s.range !== "1h") p.set("range", s.range);
  if (s.off) p.set("off", s.off);
  if (s.turn !== 30) p.set("turn", String(s.turn));
  if (s.full) p.set("full", "1");
  return String(p) ? "?" + p : "";
}

// useChosen is what the board shows without a choice: rules in trouble, then the most severe.
// What is shown keeps its place while it is among them.
function useChosen(wanted) {
  const [list, setList] = useState(null), [error, setError] = useState("");
  useEffect(() => (wanted ? repeat(10e3, async () => {
    try {
      const { rules: all } = await api.get("/api/v1/rules?stats=1&sort=state&limit=1000");
      const best = all.sort((a, b) => (rank[a.state] ?? 9) - (rank[b.state] ?? 9) || severe(a.severity) - severe(b.severity) || b.series - a.series || (a.id < b.id ? -1 : 1)).slice(0, perPage).map((r) => r.id);
      setList((old) => {
        const stay = (old || []).map((id) => (best.includes(id) ? id : null)), fresh = best.filter((id) => !stay.includes(id));
        const next = (old ? stay.map((id) => id || fresh.shift()) : []).concat(fresh).filter(Boolean);
        return old && next.join("\n") === old.join("\n") ? old : next;
      });
      setError("");
    } catch (err) { setError(err.message); }
  }) : undefined), [wanted]);
  return [list, error];
}

const heard = signal(0); // when the server was last heard of, by this screen's clock

export function Page({ search }) {
  const [s, setS] = useState(() => {
    if (search) return read(search);
    try { return read(localStorage.getItem(memory) || ""); } catch { return read(""); }
  });
  const [choosing, setChoosing] = useState(false), [page, setPage] = useState(0), [paused, setPaused] = useState(false), [stands, setStands] = useState({});
  const told = useRef(search), root = useRef(null);
  useEffect(() => { if (search !== told.current && search) { told.current = search; setS(read(search)); } }, [search]);
  const set = (change) => setS((old) => ({ ...old, ...change }));
  useEffect(() => {
    const text = write(s);
    told.current = text;
    note(text);
    try { if (text) localStorage.setItem(memory, text.replace(/[?&]full=1/, "")); else localStorage.removeItem(memory); } catch { /* private windows have no storage */ }
  }, [s]);
  useEffect(run, []);
  const [auto, autoError] = useChosen(s.panels === null);
  const list = s.panels || (auto && (auto.length > 0 ? auto.map((rule) => ({ rule })) : [{ q: own }]));
  const known = new Map(rules.value.map((r) => [r.id, r]));
  const all = (list || []).map((x) => ({ ...x, name: nameOf(x), q: x.rule ? known.get(x.rule)?.expr : x.q, range: s.range, off: s.off }));
  const pages = Math.max(1, Math.ceil(all.length / perPage)), at = page % pages, shown = all.slice(at * perPage, at * perPage + perPage);
  useTurning(pages, s.turn, paused || choosing, () => setPage((n) => (n + 1) % pages), root);
  const full = useFull(s.full, (on) => set({ full: on }));
  useKeys({
    f: ["full screen, or not", () => full(!s.full)],
    Escape: ["leave the full screen, or the choice", () => { if (choosing) setChoosing(false); else if (s.full) full(false); }],
    c: ["choose what the board shows", () => setChoosing((on) => !on)],
    n: ["the next panels", () => setPage((n) => (n + 1) % pages)],
    p: ["stay with these panels, or go on", () => setPaused((on) => !on)],
  }, [s.full, choosing, pages]);
  useEffect(() => { if (!silent.value && polled.value > 0) heard.value = Date.now(); }, [polled.value]);
  useEffect(() => { heard.value = Math.max(heard.peek(), Date.now() - (staleAfter - 6) * 1000); }, [woken.value]);
  void second.value;
  const quiet = (Date.now() - heard.value) / 1000, stale = quiet > staleAfter || (silent.value && quiet > 5);
  const here = shown.map((x) => stands[x.name]).filter(Boolean);
  return html`<div class=${"board n" + shown.length} ref=${root}><${State} stale=${stale} quiet=${quiet} stands=${here}>
      <span class="board-tools"><button aria-expanded=${String(choosing)} onClick=${() => setChoosing(!choosing)}>Choose</button><button aria-pressed=${String(s.full)} title="f" onClick=${() => full(!s.full)}>Full screen</button></span>
      ${pages > 1 && html`<span class="board-turn"><button aria-label="the panels before" onClick=${() => setPage((at + pages - 1) % pages)}>‹</button> ${at + 1}/${pages} <button aria-label="the next panels" onClick=${() => setPage((at + 1) % pages)}>›</button>
        <button aria-pressed=${String(paused)} onClick=${() => setPaused(!paused)}>${paused ? "Go on" : "Pause"}</button></span>`}</${State}>
    ${choosing && html`<${Choice} s=${s} set=${set} list=${list || []} most=${most} onClose=${() => setChoosing(false)} />`}
    ${!s.panels && auto?.length === 0 && html`<p class="board-hint">No rule yet, so this is what the server itself takes in. <a href="/rules/new">Make a rule</a>, or choose an expression.</p>`}
    ${!list && html`<p class="board-hint" role="status">${autoError || "…"}</p>`}
    <div class="board-grid" key=${at}>${shown.map((x) => (x.rule && !known.has(x.rule) ? html`<section class="board-panel s-wait" key=${x.name} data-state="wait"><div class="board-title"><h2>${x.rule}</h2></div><p class="empty">${polled.value === 0 ? "…" : "There is no such rule."}</p></section>`
      : html`<${Panel} key=${x.name} what=${x} stale=${stale} onStand=${(name, state) => setStands((old) => (old[name] === state ? old : { ...Object.fromEntries(Object.entries(old).filter(([k]) => all.some((y) => y.name === k))), [name]: state }))} />`))}</div></div>`;
}

// State is the band across the top: how all of it stands, by words and shapes, and the server's time.
function State({ stale, quiet, stands, children }) {
  const on = alertList.value.filter((a) => a.state === "firing" || a.state === "nodata"), gone = on.filter((a) => a.state === "nodata").length, firing = on.length - gone, pending = alertList.value.filter((a) => a.state === "pending").length;
  const held = on.filter((a) => a.silencedBy?.length > 0).length, old = stands.filter((x) => x === "stale").length, unknown = trouble.value && !stale;
  const kind = stale ? "stale" : unknown ? "unknown" : on.length > 0 ? "firing" : old > 0 ? "stale" : pending > 0 ? "pending" : "calm";
  const named = [...new Set([...on].sort(urgency).map((a) => a.rule))];
  const text = { stale: stale ? "Stale" : old + " of " + stands.length + " stale", unknown: "Not known", firing: [firing > 0 && firing + " firing", gone > 0 && gone + " no data"].filter(Boolean).join(", "), pending: pending + " pending", calm: "Calm" }[kind];
  const by = drift.value;
  return html`<div class=${"board-state s-" + kind} data-state=${kind}><span role="status" class="board-word"><i aria-hidden="true">${{ stale: "✕", unknown: "✕", firing: "▲", pending: "◔", calm: "●" }[kind]}</i> ${text}</span>
    <span class="board-who">${stale ? "no answer for " + duration(quiet) + ": what is below is old" : unknown ? trouble.value : kind === "stale" ? "the server answers, but no new steps come" : html`${named.slice(0, 3).map((id, i) => html`${i > 0 && ", "}<a key=${id} href=${"/alerts?rule=" + encodeURIComponent(id)}>${id}</a>`)}${named.length > 3 ? " and " + (named.length - 3) + " more" : ""}${held > 0 ? " · " + held + " silenced" : ""}${old > 0 ? " · " + old + " of " + stands.length + " panels stale" : ""}`}</span>
    ${children}
    <span class="board-clock">${by ? html`<b class="drift" title="ages and ranges go by the server's clock">this screen is ${duration(Math.abs(by) / 1000)} ${by > 0 ? "behind" : "ahead"}</b> ` : ""}<time>${new Date(second.value || Date.now()).toISOString().slice(11, 19)}</time> UTC</span></div>`;
}

// useTurning goes to the next panels every so many seconds, unless somebody is at work with these.
function useTurning(pages, seconds, held, next, root) {
  useEffect(() => {
    if (pages < 2 || held || away.value) return undefined;
    const timer = setInterval(() => { if (!root.current.querySelector(".board-panel:hover, .board-panel:focus-within") && !matchMedia("(max-width: 700px)").matches) next(); }, seconds * 1000);
    return () => clearInterval(timer);
  }, [pages, seconds, held, away.value]);
}

// useFull hides the header, fills the screen where that is possible, and keeps it awake.
function useFull(on, tell) {
  useEffect(() => {
    if (on) document.documentElement.dataset.board = "full"; else delete document.documentElement.dataset.board;
    const left = () => { if (!document.fullscreenElement) tell(false); };
    document.addEventListener("fullscreenchange", left);
    let lock = null, gone = !on;
    const hold = () => { if (!gone && !document.hidden) navigator.wakeLock?.request("screen").then((l) => { if (gone) void l.release(); else lock = l; }, () => {}); };
    hold();
    document.addEventListener("visibilitychange", hold); // a hidden page loses it
    return () => {
      gone = true;
      void lock?.release();
      document.removeEventListener("visibilitychange", hold);
      document.removeEventListener("fullscreenchange", left);
      delete document.documentElement.dataset.board;
    };
  }, [on]);
  return (want) => {
    if (want) document.documentElement.requestFullscreen?.().catch(() => {}); else if (document.fullscreenElement) void document.exitFullscreen();
    tell(want);
  };
}

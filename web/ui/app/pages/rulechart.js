// How one group goes its way through stored history: its values, the band of a rule that
// need not be in force, what is out of it, and where an alert would be on.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { plot, role, runs } from "/ui/plot.js";
import { send } from "/ui/api.js";
import { duration, ms, number, numbers, tags, time } from "/ui/format.js";
import { redraw } from "/ui/shared.js";
import { said } from "/ui/pages/ruleform.js";

const gap = (n) => new Array(n).fill(null);

// traces draws into el and returns {set(trace, force), redraw, destroy}.
function traces(el, tip, onZoom) {
  let now = null, force = null;
  const line = (stroke, width, dash) => ({ stroke: role(stroke), width, dash });
  const p = plot(el, {
    look: () => ({ lines: [line("ghost", 1, [3, 4]), line("ghost", 1, [3, 4]), line("band-edge", 1), line("band-edge", 1), line("accent", 1.25, [2, 4]), { ...line("text", 1.5), single: true }],
      font: 12, left: 58, bottom: 46, top: 8, right: 16, spaceX: 72, spaceY: 30, gap: 4, ticks: true, dot: 7, level: true }),
    wide: () => now?.t.length && [(now.t[0] - now.every) / 1000, now.t.at(-1) / 1000], values: numbers,
    time: (ticks, gap) => ticks.map((t) => { const iso = new Date(t * 1e3).toISOString(); return gap >= 86400 ? iso.slice(5, 10) : iso.slice(11, gap < 60 ? 19 : 16) + (iso.slice(11, 16) === "00:00" && gap >= 60 ? "\n" + iso.slice(5, 10) : ""); }),
    before: () => { if (now) ground(p, now); }, after: () => { if (now) strip(p, now); },
    onCursor: () => say(p, tip, now, force),
    onSelect: (s, e) => onZoom(Math.round(s * 1000), Math.round(e * 1000)),
  });
  return {
    set(trace, other) {
      now = trace;
      const old = (list) => { // where each point is nearest: the two were asked for at two times
        let j = 0;
        return other ? trace.t.map((t) => {
          while (j + 1 < other.t.length && Math.abs(other.t[j + 1] - t) <= Math.abs(other.t[j] - t)) j++;
          return Math.abs(other.t[j] - t) <= trace.every ? list[j] : null;
        }) : gap(trace.t.length);
      };
      force = other && { lower: old(other.lower), upper: old(other.upper) };
      p.set([trace.t.map((t) => t / 1000), force?.upper || old(), force?.lower || old(), trace.upper, trace.lower, trace.expected, trace.value]);
    },
    redraw() { if (now) p.draw(); },
    destroy: p.destroy,
  };
}

// ground fills the band, to the edge of the picture on a side without a bound, and what is out.
function ground(u, x) {
  const { ctx, box: { left, top, width, height } } = u, half = x.every / 2000;
  const px = (t) => Math.max(left, Math.min(left + width, u.x(t)));
  const py = (v, none) => (v === null ? none : Math.max(top, Math.min(top + height, u.y(v))));
  ctx.fillStyle = role("band");
  runs(x.t.map((_, i) => x.lower[i] !== null || x.upper[i] !== null), (i, j) => {
    ctx.beginPath();
    for (let k = i; k <= j; k++) ctx.lineTo(px(x.t[k] / 1000), py(x.upper[k], top));
    for (let k = j; k >= i; k--) ctx.lineTo(px(x.t[k] / 1000), py(x.lower[k], top + height));
    ctx.fill();
  });
  ctx.fillStyle = role("out");
  runs(x.out, (i, j) => { const x0 = px(x.t[i] / 1000 - half), x1 = px(x.t[j] / 1000 + half); ctx.fillRect(x0, top, Math.max(1, x1 - x0), height); });
}

// strip marks below where an alert is pending, thin, or firing, thick.
function strip(u, x) {
  const { ctx, box: { left, top, width, height } } = u, half = x.every / 2000, unit = devicePixelRatio;
  const px = (t) => Math.max(left, Math.min(left + width, u.x(t)));
  runs(x.state.map((s) => (s === "inactive" ? "" : s)), (i, j, s) => {
    const x0 = px(x.t[i] / 1000 - half), tall = (s === "firing" ? 7 : 3) * unit;
    ctx.fillStyle = role(s === "firing" ? "bad" : "warn");
    ctx.fillRect(x0, top + height - tall, Math.max(2 * unit, px(x.t[j] / 1000 + half) - x0), tall);
  });
}

function say(u, tip, x, force) {
  const { i } = u.cursor;
  if (!x || i < 0) { tip.hidden = true; return; }
  const range = (lower, upper) => "[" + number(lower) + ", " + number(upper) + "]";
  const rows = [["value", number(x.value[i])], ["expected", number(x.expected[i])], ["band", range(x.lower[i], x.upper[i])], ["score", number(x.score[i])]];
  if (force) rows.push(["band in force", range(force.lower[i], force.upper[i])]);
  if (x.out[i] || x.state[i] !== "inactive") rows.push(["", [x.out[i] && "out of band", x.state[i] !== "inactive" && x.state[i]].filter(Boolean).join(", ")]);
  tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: time(x.t[i]) + " UTC" }), ...rows.map(([name, v]) => {
    const row = document.createElement("div"), left = document.createElement("span"), right = document.createElement("i");
    left.textContent = name; right.textContent = v;
    row.append(left, right);
    return row;
  }));
  tip.hidden = false;
  const w = tip.offsetWidth, at = u.cursor.left + u.box.left / devicePixelRatio;
  tip.style.left = (at + w + 24 > u.width ? at - w - 12 : at + 14) + "px";
  tip.style.top = "6px";
}

// span is the time that a range means, {from, to} or 1d.
export function span(range) {
  const now = Date.now();
  return range.from ? [range.from, Math.min(now, range.to)] : [now - ms(range), now];
}

// Trace draws a rule over a range for one group, {} being a group too, or the first for null;
// force is the rule to compare with. fresh makes it ask anew; onTrace is told what came.
export function Trace({ rule, force, group, range, fresh, onTrace, onZoom }) {
  const el = useRef(null), tip = useRef(null), drawn = useRef(null), old = useRef({ key: "", trace: null });
  const [shown, setShown] = useState(null), [trouble, setTrouble] = useState(""), [busy, setBusy] = useState(true);
  useEffect(() => {
    drawn.current = traces(el.current, tip.current, (s, e) => onZoom?.(s, e));
    return () => drawn.current.destroy();
  }, []);
  const what = JSON.stringify([rule, group, range]);
  useEffect(() => {
    if (!rule) { setBusy(false); return undefined; }
    const stop = new AbortController();
    let timer = null;
    const ask = (r, [start, end]) => send("POST", "/api/v1/backtest", { rule: r, start, end, trace: Math.max(200, Math.min(1000, Math.round(el.current.clientWidth))), ...(group && { group }) }, stop.signal);
    const load = async () => {
      setBusy(true);
      try {
        let asked = span(range), answer = await ask(rule, asked);
        if (answer.trace?.t.length < 30 && answer.trace.every > answer.steps[0].step) { // the history is younger than the range
          asked = [answer.trace.t[0] - answer.trace.every, asked[1]];
          answer = await ask(rule, asked);
        }
        const key = JSON.stringify([force, group, range, fresh, answer.trace?.every]);
        if (force && old.current.key !== key) old.current = { key, trace: (await ask(force, asked)).trace || null };
        setShown({ trace: answer.trace, force: force ? old.current.trace : null, notices: answer.notices, pages: answer.pageCount });
        setTrouble("");
        onTrace?.(answer);
        setBusy(false);
      } catch (err) {
        if (err.name === "AbortError") return;
        setTrouble(err.message);
        setBusy(false);
        if (err.passing) timer = setTimeout(load, 1500);
      }
    };
    timer = setTimeout(load, 60); // what is dragged changes faster than it is judged
    return () => { clearTimeout(timer); stop.abort(); };
  }, [what, fresh]);
  useEffect(() => { if (shown?.trace) drawn.current.set(shown.trace, shown.force); }, [shown]);
  useEffect(() => { drawn.current.redraw(); }, [redraw.value]);
  const x = shown?.trace, n = x?.t.length || 0, last = (list) => list?.findLast((v) => v !== null) ?? null;
  const about = x ? "Values of " + (tags(x.tags) || "the one group") + ", last " + number(last(x.value)) + ", band " + number(last(x.lower)) + " to " + number(last(x.upper)) + "; " + shown.pages + " pages" : "Graph with the band";
  return html`<div class="rule-trace">
    <div class="chart" role="img" aria-label=${about} aria-busy=${String(busy)} data-points=${n} data-lower=${last(x?.lower)} data-upper=${last(x?.upper)} data-out=${x?.out.filter(Boolean).length} data-every=${x?.every} data-force=${shown?.force?.every}>
      <div ref=${el} class="plot" style=${{ visibility: n ? "visible" : "hidden" }}></div><div ref=${tip} class="tip" hidden></div>
      ${shown && !n && html`<div class="empty">No value in this time.</div>`}</div>
    <p class="key"><span class="k-value">value</span> <span class="k-band">band</span> ${shown?.force && html`<span class="k-force">band in force</span>`} <span class="k-out">out of band</span> <span class="k-pending">pending</span> <span class="k-firing">firing</span>
      ${x && html`<span class="soft">a point is ${duration(x.every / 1000)}</span>`}${busy && html`<span class="soft">judging …</span>`}</p>
    ${trouble && html`<div class="notice" role="status">Not drawn: ${said(trouble)}</div>`}
    ${shown?.notices.map((t) => html`<p class="soft" key=${t}>${t}</p>`)}</div>`;
}

// Ranges chooses how far back is looked.
export const Ranges = ({ list, value, onChange, label }) => html`<span class="segments" role="group" aria-label=${label}>${list.map((r) =>
  html`<button key=${r} aria-pressed=${String(r === value)} onClick=${() => onChange(r)}>${{ "1d": "day", "1w": "week", "30d": "month" }[r] || r}</button>`)}</span>`;

// The graph of Explore, and what is pinned to it.
import { html, effect, signal, useEffect, useLayoutEffect, useRef } from "/ui/vendor/preact.js";
import { chart } from "/ui/chart.js";
import { redraw } from "/ui/shared.js";
import { beside, data, hidden } from "/ui/pages/exploredata.js";
import { state, unzoom, wider, zoom } from "/ui/pages/explorestate.js";

export const pinned = signal(null); // {t, line, x, y}: a time in seconds, the line nearest to the pointer, and where that was
export const drawn = signal(false); // the first graph is there: what was less urgent is loaded
const pins = signal(null);          // the module for it, loaded for that
const fills = signal(null);         // and that of areas
effect(() => { if (pinned.value && !pins.peek()) import("/ui/pages/explorepin.js").then((m) => { pins.value = m.Pinned; }, () => { pinned.value = null; }); });
effect(() => { if (state.style.value && !fills.peek()) import("/ui/pages/explorefill.js").then((m) => { fills.value = m; }, () => { state.style.value = ""; }); });

export function Graph() {
  const el = useRef(null), tip = useRef(null), plot = useRef(null);
  const g = data.value, old = beside.value?.past.value || [], off = hidden.value, band = beside.value?.bandFor(g), style = state.style.value, pin = pinned.value;
  const empty = !g || g.times.length === 0 || g.lines.length === 0;
  useLayoutEffect(() => {
    if (empty) { plot.current?.destroy(); plot.current = null; return; }
    const lines = g.lines.map((l) => ({ ...l, hidden: off.has(l.key) }));
    const then = old.length === lines.length ? old.map((p, i) => ({ label: p.label, hidden: lines[i].hidden, values: g.times.map(p.byTime) })) : [];
    const fill = style && fills.value ? fills.value.fill(style, g.times, lines) : null;
    const model = { times: g.times, lines, band, fill, pin: pin?.t, onZoom: zoom, onBack: () => unzoom() || wider(),
      past: fill && style === "stack" ? fills.value.stacked(then).map((p, i) => ({ ...then[i], tops: p.tops })) : then,
      onPin: (t, near, x, y) => { pinned.value = pin?.t === t ? null : { t, line: lines[near]?.key, x, y }; } };
    if (plot.current) plot.current.update(model); else plot.current = chart(el.current, tip.current, model);
  }, [g, redraw.value, old, off, band && beside.value.bandData.value, style, fills.value, pin]);
  useEffect(() => { if (g) drawn.value = true; }, [Boolean(g)]);
  useEffect(() => () => plot.current?.destroy(), []);
  const none = g && (g.lines.length === 0 || g.lines.every((l) => l.values.every((v) => v === null)));
  const bounded = band ? band.upper.filter((v, i) => (v ?? band.lower[i]) !== null).length : 0;
  const about = g ? "Graph of " + g.lines.length + " lines" + (bounded ? ", and the band of rule " + state.band.value : "") + "; the table below has the values" : "Graph";
  return html`<div class="chart" data-bounded=${bounded} data-to=${g?.times.at(-1)} data-style=${(fills.value && style) || "line"}><div role="img" aria-label=${about} ref=${el} style=${{ position: "absolute", inset: 0, visibility: none ? "hidden" : "visible" }}></div>
    <div ref=${tip} class="tip" hidden></div>
    ${pin && !empty && pins.value && html`<${pins.value} pin=${pin} />`}
    ${none && html`<div class="empty"><p>No data for this query in this range.</p><p>Which names and tags there are is in <a href="/data">Data</a>. Push a count, and it is here in the next step:</p>
      <pre>curl -X POST '${location.origin}/c/starts?region=eu' -d 1</pre>
      <p>then ask <code>name,starts,:eq,:sum</code></p></div>`}
  </div>`;
}

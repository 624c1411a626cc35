// The stack view: what each token of an expression left, with the one at the caret in sight.
import { html, useEffect, useRef, useState } from "/ui/vendor/preact.js";
import { trace } from "/ui/editor/ask.js";
import { unit } from "/ui/editor/tokens.js";

const pause = 120; // ms without a key

// Stack shows the steps of text; at is the caret in it, null for the end.
export function Stack({ text, at }) {
  const [run, setRun] = useState(null), body = useRef(null); // run is {text, steps, error}
  useEffect(() => {
    let gone = false;
    const timer = setTimeout(() => trace(text).then(
      ({ steps, error }) => { if (!gone) setRun({ text, steps: steps.map((s) => ({ ...s, from: unit(text, s.offset), to: unit(text, s.end) })), error }); },
      (err) => { if (!gone) setRun({ text, steps: [], error: err }); }), pause);
    return () => { gone = true; clearTimeout(timer); };
  }, [text]);
  const caret = at ?? text.length, steps = run?.steps || [];
  let here = -1; // the last step that begins before the caret
  steps.forEach((s, i) => { if (s.from < caret || i === 0) here = i; });
  useEffect(() => {
    const row = body.current?.querySelector("[aria-current]"), box = body.current;
    if (!row) return; // only the box scrolls, not the page
    if (row.offsetTop < box.scrollTop + 30) box.scrollTop = row.offsetTop - 30;
    if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
  }, [run, here]);
  if (!run) return null;
  return html`<div class="stack" role="region" aria-label="Stack after each token" tabindex="0" ref=${body}>
    <table><thead><tr><th>token</th><th>what it left on the stack, the top first</th></tr></thead><tbody>
    ${steps.map((s, i) => html`<tr key=${i} aria-current=${i === here ? "step" : null}><td class=${"token" + (run.text[s.from] === ":" ? " word" : "")} title=${run.text.slice(s.from, s.to)}>${run.text.slice(s.from, s.to)}</td>
      <td>${s.stack.length === 0 ? html`<span class="soft">nothing</span>` : s.stack.map((item) => html`<span class=${"item" + (item.new ? " new" : "")}><small>${item.kind}</small><code>${item.text}</code></span>`)}
      ${Object.entries(s.variables || {}).map(([k, v]) => html`<span class="item new"><small>variable ${k}</small><code>${v}</code></span>`)}</td></tr>`)}
    ${run.error && html`<tr class="refused"><td class="token">${run.error.token || ""}</td><td>${run.error.message}${run.error.hint ? html` <span class="soft">${run.error.hint}</span>` : null}</td></tr>`}
    </tbody></table></div>`;
}

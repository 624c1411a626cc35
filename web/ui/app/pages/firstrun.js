// First run: a server that nobody has sent anything to shows its own metrics and the way to
// a first alert.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { repeat } from "/ui/shared.js";

document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/ui/pages/firstrun.css" }));

// useEmpty tells whether the server has nothing but its own metrics; it stops asking when it
// has more.
function useEmpty() {
  const [empty, setEmpty] = useState(false);
  useEffect(() => {
    const stop = repeat(2000, async () => {
      const list = await api.get("/api/v1/tags/name?limit=1&q=" + encodeURIComponent("nf.app,pulse,:eq,name,pulse.,:re,:and,:not"));
      setEmpty(list.length === 0);
      if (list.length > 0) stop();
    });
    return stop;
  }, []);
  return empty;
}

const steps = [
  ["Push a count", "It is here in the next step, and this text is gone."],
  ["Look at it", "Its graph is in Explore, its tags are in Data, who sent it is in Sources."],
  ["Make a rule of it", "In Rules, “New rule” takes the expression and says what it would have paged for."],
  ["Tell somebody", "In Receivers, “New receiver” takes a webhook, Slack, PagerDuty or mail, and tests it."],
];

export function FirstRun() {
  const empty = useEmpty(), [done, setDone] = useState("");
  if (!empty) return null;
  const auth = api.hasToken() ? " -H \"Authorization: Bearer $PULSE_TOKEN\"" : "";
  const line = "curl -X POST" + auth + " '" + location.origin + "/c/starts?region=eu' -d 1";
  const copy = () => navigator.clipboard?.writeText(line).then(() => setDone("Copied."), () => setDone("Select the line and copy it."));
  return html`<section class="panel firstrun" id="firstrun" aria-label="First run"><h2>Nothing has been pushed yet</h2>
    <p>What you see below is this server itself, live. One line sends it something else:</p>
    <div class="line"><pre><code>${line}</code></pre><button onClick=${copy}>Copy</button><span class="done" role="status">${done}</span></div>
    ${auth && html`<p class="soft"><code>PULSE_TOKEN</code> is a token with the scope <code>ingest</code>: <code>pulse token new NAME --scope ingest</code> makes one.</p>`}
    <ol>${steps.map(([what, how], i) => html`<li key=${i}><b>${i === 2 ? html`<a href="/rules">${what}</a>` : i === 3 ? html`<a href="/receivers?new=1">${what}</a>` : what}</b> ${how}</li>`)}</ol></section>`;
}

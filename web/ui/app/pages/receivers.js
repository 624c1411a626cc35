// Receivers: who is told, whether they take it, what was tried, and what was given up.
import { html, useEffect, useState } from "/ui/vendor/preact.js";
import * as api from "/ui/api.js";
import { duration, tags, time } from "/ui/format.js";
import { useKeys } from "/ui/keys.js";
import { go } from "/ui/router.js";
import { alertList } from "/ui/shared.js";
import { Form } from "/ui/pages/receiverform.js";
import { Age, count, Sure, Trouble, useAsk, useQuery, useRows, Waiting } from "/ui/pages/parts.js";

const to = (name) => "/receivers/" + encodeURIComponent(name);
const at = (name) => "/api/v1/receivers/" + encodeURIComponent(name);

export function Page({ rest, search }) {
  const [p, set] = useQuery(search);
  if (p.get("new")) return html`<${Form} title="New receiver" onDone=${(name) => go(to(name))} onLeave=${() => go("/receivers")} />`;
  return rest ? html`<${One} key=${rest} name=${rest} p=${p} set=${set} />` : html`<${List} />`;
}

// health says in a word and a sentence how delivery goes.
function health(r) {
  const s = r.status || {}, b = s.breaker || {};
  if (s.leaving) return ["pending", "leaving", "It is in no file any more, gets the end of what it was told of, and goes then."];
  if (r.disabled) return ["pending", "disabled", r.disabled_reason ? "Pulse disabled it since " + r.disabled_reason + ". Enable it when it is right again; what waits is sent." : "Nothing is sent; notifications wait for a day."];
  if (s.failing && !s.failing.works) return ["firing", "failing", s.failing.reason + (s.failing.told?.length ? ". " + s.failing.told.join(", ") + (s.failing.told.length > 1 ? " were" : " was") + " told." : ". There was nobody else to tell.")];
  if (s.failing) return ["pending", "working again", "It took something; after a minute without trouble the others are told that it works."];
  if (b.state && b.state !== "closed") return ["firing", "host down", b.host + " does not answer, one attempt at a time probes it." + (b.lastError ? " " + b.lastError : "")];
  if (s.heartbeat?.silent) return ["firing", "silent", "No heartbeat is sent: " + s.heartbeat.silent];
  if (s.lastError) return ["pending", "in trouble", "The last attempt failed: " + s.lastError];
  if (!s.lastAccepted) return ["quiet", "not tried", "Nothing was sent to it yet. A test shows whether it works."];
  return ["resolved", "works", "It takes what it is sent."];
}

function Badge({ r }) { const [kind, word, text] = health(r); return html`<span class=${"badge " + kind} title=${text}>${word}</span>`; }

function List() {
  const of = useAsk("/api/v1/receivers", 3000);
  useRows("#receivers");
  useKeys({ n: ["new receiver", () => go("/receivers?new=1")] });
  return html`<section class="panel" aria-label="Receivers"><div class="lead"><h2>Receivers</h2><a class="button end" href="/receivers?new=1">New receiver</a></div>
    <${Trouble} of=${of} what="the receivers" />
    ${!of.data ? !of.error && html`<${Waiting} what="receivers" />` : of.data.length === 0 ? html`<div class="empty"><p>Nobody is told of alerts yet.</p><p><a href="/receivers?new=1">Add a receiver</a>: a webhook, Slack, PagerDuty, Opsgenie, Teams, an Alertmanager or mail.</p></div>` : html`
    <table id="receivers" class="cards"><thead><tr><th>name</th><th>kind</th><th>health</th><th>took something</th><th>last attempt</th><th class="num">waiting</th><th>defined in</th></tr></thead>
    <tbody>${of.data.map((r) => { const s = r.status, [, , text] = health(r); return html`<tr key=${r.name}><td class="wide"><a href=${to(r.name)}><b>${r.name}</b></a></td><td data-label="kind">${r.kind}</td>
      <td class="wide"><${Badge} r=${r} /> <span class="soft">${text}</span></td><td data-label="took something"><${Age} at=${s.lastAccepted} now=${of.at} /></td>
      <td data-label="last attempt"><${Age} at=${s.lastAttempt} now=${of.at} /></td><td class="num" data-label="waiting">${count(s.queued)}${s.queued > 0 && html` <span class="soft">since <${Age} at=${s.oldest} now=${of.at} /></span>`}</td><td data-label="defined in">${s.file ? html`<span class="mono">${s.file}</span>` : "API"}</td></tr>`; })}</tbody></table>`}</section>`;
}

function One({ name, p, set }) {
  const [gone, setGone] = useState(false), of = useAsk(gone ? "" : at(name), 2000), r = of.data;
  const [said, setSaid] = useState(null), [busy, setBusy] = useState(false), [turn, setTurn] = useState(0);
  const act = async (f) => {
    setBusy(true);
    setSaid(null);
    try { setSaid(await f()); } catch (err) { setSaid({ text: err.message, failed: true }); }
    setBusy(false);
    setTurn((n) => n + 1);
    of.again();
  };
  const test = () => act(async () => {
    const t = await api.send("POST", at(name) + "/test", {});
    return { text: time(Date.now()) + " UTC: " + (t.ok ? "the test was taken" : "the test failed") + (t.status ? ": status " + t.status : "") + " in " + t.latencyMs + " ms" + (t.error ? ", " + t.error : "") + ".", failed: !t.ok };
  });
  const put = (changes, text) => act(async () => {
    const { status, disabled_at, disabled_reason, ...rest } = r;
    await api.send("PUT", at(name), { ...rest, ...changes });
    return { text };
  });
  const drop = async () => {
    setGone(true); // nobody asks for it any more
    try { await api.send("DELETE", at(name)); go("/receivers"); } catch (err) { setGone(false); setSaid({ text: err.message, failed: true }); }
  };
  useKeys({ t: ["test it", () => { if (!busy) test(); }] }, [busy, name]);
  if (of.error?.status === 404) return html`<section class="panel"><p class="empty">There is no receiver ${name}. <a href="/receivers">All receivers</a></p></section>`;
  if (!r) return html`<section class="panel"><${Trouble} of=${of} what="the receiver" />${!of.error && html`<${Waiting} what="the receiver" />`}</section>`;
  if (p.get("edit") && !r.status.file) return html`<${Form} title=${"Change " + name} of=${r} onDone=${() => { set({ edit: "" }); of.again(); setSaid({ text: "Saved. A test shows whether it works." }); }} onLeave=${() => set({ edit: "" })} />`;
  const [, , text] = health(r), s = r.status, file = s.file;
  return html`<section class="panel" aria-label="Receiver"><div class="lead"><h2><a href="/receivers">Receivers</a> <span class="soft">/</span> ${name}</h2><${Badge} r=${r} /><span id="health">${text}</span></div>
    <${Trouble} of=${of} what="the receiver" />
    <div class="lead acts"><button class="primary" id="test" disabled=${busy} onClick=${test}>${busy ? "Sending…" : "Send a test"}</button>
      ${file ? html`<span class="soft">It comes from <span class="mono">${file}</span> and is changed there.</span>` : html`<button onClick=${() => set({ edit: "1" })}>Change</button>
        ${r.disabled ? html`<button onClick=${() => put({ disabled: false }, "It is enabled; what waits is sent.")}>Enable</button>` : html`<${Sure} does="Notifications then wait, for a day." yes="Disable it" onYes=${() => put({ disabled: true }, "It is disabled.")}>Disable<//>`}
        <${Sure} does=${"What waits for it (" + count(s.queued) + ") and what was given up is lost."} yes="Delete it" onYes=${drop}>Delete<//>`}</div>
    <p class=${"done" + (said?.failed ? " failed" : "")} role="status" id="said">${said?.text}</p>
    <div class="pages-two"><${Delivery} r=${r} now=${of.at} /><${Settings} r=${r} /></div></section>
    ${!gone && html`<${Dead} name=${name} turn=${turn} act=${act} /><${Log} name=${name} p=${p} set=${set} />`}`;
}

function Delivery({ r, now }) {
  const s = r.status, b = s.breaker;
  return html`<dl class="facts"><dt>took something</dt><dd><${Age} at=${s.lastAccepted} now=${now} /></dd><dt>last attempt</dt><dd><${Age} at=${s.lastAttempt} now=${now} />${s.lastAttempt > 0 && (s.lastStatus ? ", status " + s.lastStatus : "") + (s.lastError && s.lastError !== "status " + s.lastStatus ? ", " + s.lastError : "")}</dd>
    ${s.failing && html`<dt>failing since</dt><dd><${Age} at=${s.failing.since} now=${now} /></dd>`}
    <dt>waiting</dt><dd>${count(s.queued)}${s.inFlight > 0 && ", " + s.inFlight + " under way"}${s.queued > 0 && html`, the oldest <${Age} at=${s.oldest} now=${now} />`}</dd>
    ${s.nextAttempt > 0 && html`<dt>next attempt</dt><dd>${s.nextAttempt > now ? "in " + duration((s.nextAttempt - now) / 1000) : "now"}</dd>`}
    ${b?.host && html`<dt>host</dt><dd>${b.host}: ${b.state === "closed" ? (b.failures ? b.failures + " failures in a row" : "answers") : b.state === "open" ? "down, probed" + (b.nextProbe > now ? " in " + duration((b.nextProbe - now) / 1000) : " now") : "being probed"}</dd>`}
    ${s.heartbeat && html`<dt>heartbeat</dt><dd>every ${duration(s.heartbeat.everyMs / 1000)}, the last <${Age} at=${s.heartbeat.last} now=${now} /></dd>`}</dl>`;
}

const quiet = new Set(["name", "status", "disabled", "disabled_at", "disabled_reason"]);

function Settings({ r }) {
  const show = (v) => (Array.isArray(v) ? v.map((x) => (typeof x === "string" ? x : x.type + " " + (x.name || x.username || x.id))).join(", ") : typeof v === "boolean" ? (v ? "yes" : "no") : String(v));
  return html`<dl class="facts">${Object.entries(r).filter(([k]) => !quiet.has(k)).map(([k, v]) => html`<dt key=${k}>${k.replaceAll("_", " ")}</dt><dd class="mono">${v === "***" ? html`<span class="soft">stored, not shown</span>` : show(v)}</dd>`)}</dl>`;
}

const types = { "alert.firing": "firing", "alert.resolved": "resolved", "alert.nodata": "no data", "alert.summary": "summary", "alert.flapping": "flapping", "alert.test": "test" };

// incident leads to an alert, by its rule and tags where it is known, else by its id.
function incident(id) {
  const a = id && alertList.value.find((x) => x.incident === id);
  return id ? html`<a href=${"/alerts/" + encodeURIComponent(id)} class="mono" title=${id}>${a ? a.rule + " " + tags(a.tags) : id}</a>` : "–";
}

function Dead({ name, turn, act }) {
  const of = useAsk(at(name) + "/dead", 5000), list = of.data || [];
  useEffect(() => { of.again(); }, [turn]);
  const resend = (id) => act(async () => {
    const got = await api.send("POST", at(name) + "/dead" + (id ? "?id=" + encodeURIComponent(id) : ""), {});
    return { text: got.sent + (got.sent === 1 ? " notification is" : " notifications are") + " sent again." + (got.over ? " " + got.over + " stay: what they tell of is over, and nobody would tell of its end." : "") };
  });
  if (!of.error && list.length === 0) return null;
  return html`<section class="panel" aria-label="Given up" id="dead"><div class="lead"><h2>Given up <span class="badge firing">${list.length >= 100 ? "100 or more" : list.length}</span></h2>
    <span class="end"><${Sure} does="They go again under the keys they had." yes="Send all" onYes=${() => resend("")}>Send all again<//></span></div><${Trouble} of=${of} what="what was given up" />
    <table class="cards"><thead><tr><th>given up</th><th>tells of</th><th>rule</th><th>incident</th><th class="num">attempts</th><th>why</th><th></th></tr></thead><tbody>${list.map((d) => html`<tr key=${d.id}><td data-label="given up"><${Age} at=${d.died} now=${of.at} /></td><td data-label="tells of">${types[d.type] || d.type}</td><td class="mono">${d.rule || "–"}</td>
      <td class="wide">${incident(d.incident)}</td><td class="num" data-label="attempts">${d.attempts}</td><td class="wide">${d.reason}</td><td><button onClick=${() => resend(d.id)}>Send again</button></td></tr>`)}</tbody></table></section>`;
}

const outcomes = { accepted: "resolved", retry: "pending", "dead letter": "firing", "receiver disabled": "firing", dropped: "quiet" };

function Log({ name, p, set }) {
  const failed = p.get("failed") === "1", before = p.get("before") || "";
  const of = useAsk(at(name) + "/attempts?" + new URLSearchParams({ limit: 50, ...(before && { before }), ...(failed && { failed: 1 }) }), before ? 60_000 : 2000), d = of.data;
  return html`<section class="panel" aria-label="Delivery log"><div class="lead"><h2>Delivery log</h2><span class="segments" role="group" aria-label="Which"><button aria-pressed=${String(!failed)} onClick=${() => set({ failed: "", before: "" })}>all</button><button aria-pressed=${String(failed)} onClick=${() => set({ failed: "1", before: "" })}>what failed</button></span></div>
    <${Trouble} of=${of} what="the delivery log" />
    ${!d ? !of.error && html`<${Waiting} what="the delivery log" />` : d.attempts.length === 0 ? html`<p class="soft">${before ? "There is nothing older." : failed ? "Nothing failed." : "Nothing was sent to it yet. Tests are not listed."}</p>` : html`
    <table id="log" class="cards"><thead><tr><th>when</th><th>outcome</th><th>tells of</th><th>incident</th><th class="num">attempt</th><th class="num">status</th><th class="num">took</th><th>what was wrong</th></tr></thead><tbody>${d.attempts.map((a) => html`<tr key=${a.seq}><td data-label="when"><${Age} at=${a.t} now=${of.at} /></td>
      <td><span class=${"badge " + (outcomes[a.outcome] || "quiet")}>${a.outcome}</span></td><td data-label="tells of">${types[a.type] || a.type}</td><td class="wide">${incident(a.incident)}</td><td class="num" data-label="attempt">${a.number || "–"}</td><td class="num" data-label="status">${a.status || "–"}</td>
      <td class="num" data-label="took">${a.number ? a.latencyMs + " ms" : "–"}</td><td class="wide">${a.error}${a.next > of.at && html` <span class="soft">again in ${duration((a.next - of.at) / 1000)}</span>`}</td></tr>`)}</tbody></table>`}
    ${d && (before || d.next) && html`<div class="lead more"><button disabled=${!before} onClick=${() => set({ before: "" })}>Newest</button><button disabled=${!d.next} onClick=${() => set({ before: String(d.next) })}>Older</button></div>`}</section>`;
}

// Errors: what the server says about the text, underlined where it is, and in words below.
import { EditorView, ViewPlugin, setDiagnostics, showPanel, StateEffect, StateField } from "/ui/vendor/codemirror.js";
import { trace } from "/ui/editor/ask.js";
import { el } from "/ui/editor/describe.js";
import { unit } from "/ui/editor/tokens.js";

const pause = 350; // ms without a key

export const setError = StateEffect.define(); // {message, offset, length, token, hint}, offset in bytes, or null
const setFound = StateEffect.define();

// errors holds what somebody else found, which is told elsewhere and holds until the text
// changes, and what running the text shows while it is written.
export const errors = StateField.define({
  create: () => ({ given: null, found: null }),
  update(value, tr) {
    if (tr.docChanged) value = { given: null, found: null };
    for (const e of tr.effects) {
      if (e.is(setError)) value = { ...value, given: e.value };
      if (e.is(setFound)) value = { ...value, found: e.value };
    }
    return value;
  },
  provide: (f) => [
    showPanel.from(f, ({ given, found }) => (found && !given ? (view) => panel(view, found) : null)),
    EditorView.contentAttributes.from(f, ({ given, found }) => (given || found ? { "aria-invalid": "true", ...(found && !given ? { "aria-describedby": "said" } : {}) } : {})),
  ],
});

// range is where in the text an error is.
function range(state, error) {
  const text = state.doc.toString(), from = Math.min(unit(text, error.offset), text.length);
  const length = error.length ?? error.token?.length ?? 0;
  return { from, to: Math.min(text.length, from + Math.max(1, length)) };
}

// better reads the word that a hint proposes in place of the token.
const better = (error) => /^did you mean (:[\w-]+)\?/.exec(error.hint || "")?.[1];

function replace(view, error, text) {
  const { from, to } = range(view.state, error);
  view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + text.length }, userEvent: "input" });
  view.focus();
}

function panel(view, error) {
  const button = better(error) && el("button", "", "Use " + better(error));
  if (button) button.onclick = () => replace(view, error, better(error));
  const dom = el("div", "said", el("span", "", error.message + (error.hint && !button ? ": " : ""), error.hint && !button ? el("span", "hint", error.hint) : null), button);
  dom.id = "said";
  dom.setAttribute("role", "status");
  return { dom };
}

function show(view) {
  const { given, found } = view.state.field(errors), error = given || found;
  const list = !error || !(error.offset >= 0) ? [] : [{ ...range(view.state, error), severity: "error", message: error.message,
    renderMessage: () => el("span", "", error.message, error.hint ? el("span", "hint", error.hint) : null) }];
  view.dispatch(setDiagnostics(view.state, list));
}

// unfinished reports whether an error is only that the text is not written yet.
function unfinished(state, error, focused) {
  if (!focused) return false;
  if (error.token === "(" || error.token === "/*") return true;
  const { from, to } = range(state, error), at = state.selection.main.head;
  return from <= at && at <= to;
}

// check runs the text when somebody has paused, and again looks at what it found when the
// caret moves away.
const check = ViewPlugin.fromClass(class {
  constructor(view) { this.view = view; this.timer = null; this.error = null; this.text = null; this.plan(); }
  update(u) {
    if (u.docChanged) { this.error = null; this.plan(); } else if (u.selectionSet || u.focusChanged) this.later(() => this.tell());
    if (u.transactions.some((tr) => tr.docChanged || tr.effects.some((e) => e.is(setError) || e.is(setFound)))) this.later(() => show(this.view));
  }
  later(f) { queueMicrotask(() => { if (!this.gone) f(); }); } // not while the view updates
  plan() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.run(), pause);
  }
  async run() {
    const text = this.view.state.doc.toString();
    const error = await trace(text).then((t) => t.error || null, () => null);
    if (this.gone || text !== this.view.state.doc.toString()) return;
    this.error = error;
    this.tell();
  }
  tell() {
    const { state } = this.view, error = this.error && !unfinished(state, this.error, this.view.hasFocus) ? this.error : null;
    if (state.field(errors).found !== error) this.view.dispatch({ effects: setFound.of(error) });
  }
  destroy() { this.gone = true; clearTimeout(this.timer); }
});

export const checking = [errors, check];

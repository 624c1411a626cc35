// The editor itself, in a shadow root: its style sheets are adopted there, which the page's
// content policy permits, and nothing of it meets the page's own.
import { EditorState, Prec, StateEffect, StateField, EditorView, Decoration, keymap, history, historyKeymap, standardKeymap, insertNewline, bracketMatching,
  acceptCompletion, closeCompletion, completionStatus, moveCompletionSelection, selectedCompletion, startCompletion } from "/ui/vendor/codemirror.js";
import { completion } from "/ui/editor/completion.js";
import { checking, setError } from "/ui/editor/errors.js";
import { hover } from "/ui/editor/hover.js";
import { walker } from "/ui/editor/past.js";
import { theme } from "/ui/editor/theme.js";
import { read, spot } from "/ui/editor/tokens.js";

const marks = {};
const mark = (kind) => (marks[kind] ??= Decoration.mark({ class: "code-" + kind }));

function colour(state) {
  const { tokens, commas, comments } = read(state.doc.toString());
  const all = [...tokens.map((t) => mark(t.kind).range(t.from, t.to)), ...commas.map((at) => mark("comma").range(at, at + 1)), ...comments.map((c) => mark("comment").range(c.from, c.to))];
  return Decoration.set(all, true);
}
const colours = StateField.define({
  create: colour,
  update: (value, tr) => (tr.docChanged ? colour(tr.state) : value),
  provide: (f) => EditorView.decorations.from(f),
});

// Completion opens by itself behind a comma. Until somebody has begun a token or moved in the
// list, it only informs: Enter and Tab do what they do without it.
const setMoved = StateEffect.define();
const moved = StateField.define({
  create: () => false,
  update(value, tr) {
    for (const e of tr.effects) if (e.is(setMoved)) return e.value;
    return value && !tr.docChanged && completionStatus(tr.state) !== null;
  },
});
const idle = (state) => !state.field(moved) && !spot(state.doc.toString(), state.selection.main.head)?.typed;

function accept(view) {
  const { state } = view, chosen = selectedCompletion(state);
  if (completionStatus(state) !== "active" || !chosen || idle(state)) return false;
  if (chosen.type === "word" && chosen.label === spot(state.doc.toString(), state.selection.main.head)?.typed && !state.field(moved)) return false; // it is written already
  return acceptCompletion(view);
}
const move = (forward) => (view) => {
  if (completionStatus(view.state) !== "active") return false;
  if (!idle(view.state)) return moveCompletionSelection(forward)(view);
  view.dispatch({ effects: setMoved.of(true) }); // to the first
  return forward || moveCompletionSelection(false)(view);
};

// over writes over what is selected: left to the browser, it would keep the colours of what was
// there in attributes, which the page's content policy forbids.
function over(e, view) {
  if (e.inputType !== "insertText" || !e.data || e.isComposing || view.state.selection.main.empty) return false;
  view.dispatch(view.state.update(view.state.replaceSelection(e.data), { userEvent: "input.type", scrollIntoView: true }));
  return true;
}

// edge reports whether the caret is in the first line as it is drawn, or the last one.
function edge(view, first) {
  const { head, empty } = view.state.selection.main, at = view.coordsAtPos(head), end = view.coordsAtPos(first ? 0 : view.state.doc.length);
  return empty && at && end && Math.abs(at.top - end.top) < 2;
}

// create puts the editor into host, with the text, what is selected of it, and the functions of
// editor.js.
export function create(host, { text, anchor, head, label, past, onSubmit, onChange, onCaret, onInspect }) {
  const root = host.attachShadow({ mode: "open", delegatesFocus: true });
  let told = text;
  const submit = (view) => {
    closeCompletion(view);
    onSubmit(view.state.doc.toString());
    return true;
  };
  const before = past && walker(past);
  const recall = (by) => (view) => {
    const found = before && edge(view, by > 0) ? before(view.state.doc.toString(), by) : null;
    if (found !== null) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: found }, selection: { anchor: found.length }, scrollIntoView: true });
    return found !== null;
  };
  const keys = [
    { key: "Enter", run: (view) => accept(view) || submit(view), shift: insertNewline },
    { key: "Tab", run: (view) => accept(view) || (closeCompletion(view), false) }, // the focus goes on, but not into the list
    { key: "ArrowDown", run: (view) => move(true)(view) || recall(-1)(view) }, { key: "ArrowUp", run: (view) => move(false)(view) || recall(1)(view) },
    { key: "PageDown", run: moveCompletionSelection(true, "page") }, { key: "PageUp", run: moveCompletionSelection(false, "page") },
    { key: "Ctrl-Space", mac: "Ctrl-Space", run: startCompletion }, { key: "Alt-`", run: startCompletion },
    { key: "Escape", run: (view) => { if (!closeCompletion(view)) view.contentDOM.blur(); return true; } },
    { key: "Mod-i", run: () => { onInspect?.(); return true; } },
  ];
  const caret = (state) => onCaret?.(state.doc.toString(), state.selection.main.head);
  const view = new EditorView({
    root, parent: root,
    state: EditorState.create({
      doc: text, selection: { anchor, head },
      extensions: [
        Prec.highest(keymap.of(keys)), history(), keymap.of([...historyKeymap, ...standardKeymap]), EditorView.lineWrapping, theme, colours, moved,
        bracketMatching({ brackets: "()" }), completion(idle), hover, checking, EditorView.domEventHandlers({ beforeinput: over }),
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocorrect: "off", autocapitalize: "off" }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged) {
            const now = u.state.doc.toString();
            if (now !== told) { told = now; onChange?.(now); }
          }
          if (u.docChanged || u.selectionSet) caret(u.state);
        }),
      ],
    }),
  });
  caret(view.state);
  return {
    value: () => view.state.doc.toString(),
    setValue(next) {
      if (next === view.state.doc.toString()) return;
      told = next;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, selection: { anchor: next.length } });
    },
    focus: () => view.focus(),
    setError: (error) => view.dispatch({ effects: setError.of(error) }),
    destroy: () => view.destroy(),
  };
}

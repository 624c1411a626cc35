// The box in which an expression is written: a plain text area until somebody wants to write,
// then the editor, which is loaded for that. Where it cannot be loaded the text area stays.

// A browser may remember until the page is left that it could not load a module: it is only asked
// to once the largest part can be had.
const largest = "/ui/vendor/codemirror.js";
let chunk = null;
const load = () => (chunk ??= fetch(largest).then((res) => (res.ok ? res.blob() : Promise.reject(new Error(res.statusText))))
  .then(() => import("/ui/editor/view.js")).catch((err) => { chunk = null; throw err; }));

// mount puts the box into host and returns {value, setValue, focus, setError, destroy}.
//
//	id, label            of the box; id is that of what has the focus within the page
//	value                what it begins with
//	onSubmit(text)       Enter
//	onChange(text)       somebody wrote
//	onCaret(text, at)    the caret moved, from the time the editor is there
//	past                 where localStorage has what was asked before, for the arrow keys; none without
//	onInspect()          the stack is asked for, by its key
//
// setError shows {message, offset, token, hint}, offset in bytes, until the text changes; null
// takes it away.
export function mount(host, options) {
  const { id = "query", label = "Expression of the Atlas Stack Language", value = "", onSubmit, onChange } = options;
  const area = document.createElement("textarea");
  let editor = null, error = null, gone = false, pressed = false, composing = false, wanted = false;
  Object.assign(area, { id, value, rows: 1, spellcheck: false, autocapitalize: "off", autocomplete: "off" });
  area.setAttribute("aria-label", label);
  area.addEventListener("input", () => { error = null; onChange?.(area.value); });
  area.addEventListener("keydown", (e) => {
    if (e.key === "i" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      options.onInspect?.();
    }
    if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    onSubmit?.(area.value);
  });

  // The editor takes over between two keys: not while a button of the mouse is down, or a
  // character is being composed.
  let view = null;
  const exchange = () => {
    if (gone || editor || !view || pressed || composing) return;
    const focused = document.activeElement === area, box = document.createElement("div");
    const [from, to] = [area.selectionStart, area.selectionEnd], back = area.selectionDirection === "backward";
    host.append(box);
    editor = view.create(box, { ...options, label, text: area.value, anchor: back ? to : from, head: back ? from : to });
    area.remove();
    box.id = id;
    if (error) editor.setError(error);
    if (focused) editor.focus();
  };
  const want = () => {
    if (wanted) return;
    wanted = true;
    load().then((module) => { view = module; exchange(); }, () => { wanted = false; }); // the next focus tries again
  };
  const released = () => { pressed = false; setTimeout(exchange); };
  area.addEventListener("focus", want);
  area.addEventListener("input", want);
  area.addEventListener("pointerdown", () => { pressed = true; });
  addEventListener("pointerup", released);
  addEventListener("pointercancel", released);
  area.addEventListener("compositionstart", () => { composing = true; });
  area.addEventListener("compositionend", () => { composing = false; setTimeout(exchange); });

  host.append(area);
  return {
    value: () => (editor ? editor.value() : area.value),
    setValue(text) {
      if (editor) editor.setValue(text);
      else if (text !== area.value) area.value = text;
    },
    focus: () => (editor || area).focus(),
    setError(next) {
      error = next;
      editor?.setError(next);
    },
    destroy() {
      gone = true;
      removeEventListener("pointerup", released);
      removeEventListener("pointercancel", released);
      editor?.destroy();
      host.replaceChildren();
    },
  };
}

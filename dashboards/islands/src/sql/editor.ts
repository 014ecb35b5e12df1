// The editor: SQL in colour, and the names of what there is to ask.

import { type CompletionSource, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, type SQLNamespace, sql } from "@codemirror/lang-sql";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { setDiagnostics } from "@codemirror/lint";
import { Prec } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Place } from "./run";
import type { Schema } from "./schema";

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--code-type)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "14px", backgroundColor: "transparent", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--ink)", padding: "12px 0", minHeight: "9.5em" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "0", fontFamily: "var(--mono)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--select)" },
  ".cm-matchingBracket": { backgroundColor: "var(--select)", outline: "0" },
  ".cm-scroller": { maxHeight: "50vh", overflow: "auto", lineHeight: "1.55" },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "8px", overflow: "hidden", boxShadow: "var(--shadow)" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "13px" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--brand)", color: "var(--on-brand)" },
  ".cm-placeholder": { color: "var(--muted)" },
});

function namespace({ schemas }: Schema): SQLNamespace {
  const made: Record<string, SQLNamespace> = {};
  for (const { name, tables } of schemas) {
    made[name] = Object.fromEntries(
      tables.map((table) => [table.name, table.columns.map((column) => ({ label: column.name, type: "property", detail: column.type }))]),
    );
  }
  return made;
}

export class Editor {
  private readonly view: EditorView;

  constructor(host: HTMLElement, text: string, schema: Schema, on: { run: () => void; change: (text: string) => void }) {
    const language = sql({ dialect: PostgreSQL, schema: namespace(schema), defaultSchema: "lake" });
    this.view = new EditorView({
      parent: host,
      doc: text,
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (on.run(), true) }])),
        lineNumbers(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), closeBrackets(), EditorView.lineWrapping,
        language, autocompletion({ icons: false }), language.language.data.of({ autocomplete: columnsOf(schema) }),
        syntaxHighlighting(colours), look, placeholder("select … from orders"),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
        EditorView.contentAttributes.of({ "aria-label": "SQL", spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => update.docChanged && on.change(update.state.doc.toString())),
      ],
    });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  set text(text: string) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text }, selection: { anchor: text.length } });
    this.good();
  }

  /** Puts a name where the caret is. */
  insert(name: string): void {
    this.view.dispatch(this.view.state.replaceSelection(name));
    this.view.focus();
  }

  focus(): void {
    this.view.focus();
  }

  /** Underlines the place, and goes there. */
  wrong({ line, column }: Place, message: string): void {
    const { doc } = this.view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
    const word = /^[\w."]+/.exec(doc.sliceString(from, at.to))?.[0].length ?? 1;
    const to = Math.min(from + word, doc.length);
    this.view.dispatch(setDiagnostics(this.view.state, [{ from: Math.min(from, to), to, severity: "error", message }]));
    this.view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
  }

  good(): void {
    this.view.dispatch(setDiagnostics(this.view.state, []));
  }
}

/** The columns of the tables that stand in the text, also before `from` is written. */
function columnsOf({ schemas }: Schema): CompletionSource {
  const tables = schemas.flatMap((schema) => schema.tables);
  return (context) => {
    const word = context.matchBefore(/[A-Za-z_]\w*$/);
    if (!word || (word.from > 0 && context.state.sliceDoc(word.from - 1, word.from) === ".")) return null;
    const text = context.state.doc.toString();
    const used = tables.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(text));
    const options = used.flatMap(({ name, columns }) => columns.map((column) => ({ label: column.name, detail: `${column.type}, ${name}`, type: "property", boost: 1 })));
    return options.length > 0 ? { from: word.from, options } : null;
  };
}

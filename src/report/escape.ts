/** HTML that is safe to put on a page as it is. Everything else is text, and is escaped when it meets a template. */
export class Html {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Part = Html | string | number | null | undefined | false | readonly Part[];

/** Template tag: literals are markup, values are text (escaped), nested Html and lists of it are kept. Attribute values must stand in double quotes. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = literals[0]!;
  parts.forEach((part, i) => (text += render(part) + literals[i + 1]!));
  return new Html(text);
}

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "string" || typeof part === "number") return escapeHtml(String(part));
  return part.map(render).join("");
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text for element content and quoted attributes. Control characters, which HTML forbids, and lone surrogates become U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, "\ufffd")
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** JSON for a data block: `<` is written as an escape, so that no text can end the element or open a comment. */
export function jsonBlock(value: unknown, className: string): Html {
  const json = JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return html`<script type="application/json" class="${className}">${new Html(json)}</script>`;
}

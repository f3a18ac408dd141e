/** A text with the user info and the query values of every URL in it blanked: both may be credentials. */
export function redactUri(text: string): string {
  if (!text.includes("://")) return text;
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@'"]+@/gi, "$1***@")
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s?'"]+\?)[^\s'"]+/gi, "$1***");
}

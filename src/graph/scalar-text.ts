/** `\\x41` and the like: how many hexadecimal digits follow. */
const HEX: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const BLANK_ESCAPES = "tnr \t\n\r";
const isBlank = (char: string): boolean => char === " " || char === "\t" || char === "\n" || char === "\r";

/**
 * Where each character of a scalar stands in the file. YAML folds lines, cuts indentation and resolves escapes, but leaves every character
 * that is not blank, in order: so these are counted in the source and in the value. A blank stands behind the character before it.
 */
export function offsetsIn(source: string, start: number, end: number, value: string): (offset: number) => number {
  const opening = source.charAt(start);
  const places: number[] = [];
  const widths: number[] = [];
  let at = start;
  if (opening === "|" || opening === ">") at = source.indexOf("\n", start) + 1 || end;
  else if (opening === '"' || opening === "'") at++;
  const stop = opening === '"' || opening === "'" ? end - 1 : end;
  while (at < stop) {
    const next = source.charAt(at + 1);
    const escaped = opening === '"' && source.charAt(at) === "\\";
    const width = escaped ? 2 + (HEX[next] ?? 0) : opening === "'" && source.startsWith("''", at) ? 2 : 1;
    const units = escaped && next === "U" && Number.parseInt(source.slice(at + 2, at + 10), 16) > 0xffff ? 2 : 1;
    if (escaped ? !BLANK_ESCAPES.includes(next) : !isBlank(source.charAt(at))) for (let unit = 0; unit < units; unit++) [places[places.length], widths[widths.length]] = [at, width];
    at += width;
  }
  return (offset) => {
    let count = 0;
    for (let i = 0; i < offset && i < value.length; i++) if (!isBlank(value.charAt(i))) count++;
    const seen = offset < value.length && !isBlank(value.charAt(offset));
    if (seen && count < places.length) return places[count]!;
    return count > 0 && count <= places.length ? places[count - 1]! + widths[count - 1]! : start;
  };
}

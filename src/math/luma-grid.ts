/**
 * A function that averages a luma plane into a grid of whole-pixel boxes.
 * @throws RangeError if the plane is smaller than the grid.
 */
export function lumaGrid(width: number, height: number, columns: number, rows: number): (luma: Uint8Array, out: Uint8Array) => void {
  if (width < columns || height < rows) throw new RangeError(`a frame of at least ${columns}x${rows} is needed, got ${width}x${height}`);
  const cell = Uint8Array.from({ length: width }, (_, x) => Math.floor((x * columns) / width));
  const line = new Int32Array(columns);
  const widths = new Int32Array(columns);
  for (let x = 0; x < width; x++) widths[cell[x]!]!++;
  return (luma, out) => {
    for (let r = 0, y = 0; r < rows; r++) {
      const next = Math.ceil(((r + 1) * height) / rows);
      const lines = next - y;
      line.fill(0);
      for (; y < next; y++) for (let x = 0, p = y * width; x < width; x++, p++) line[cell[x]!]! += luma[p]!;
      for (let c = 0; c < columns; c++) out[r * columns + c] = line[c]! / (widths[c]! * lines) + 0.5;
    }
  };
}

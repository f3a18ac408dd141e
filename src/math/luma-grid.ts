/**
 * A function that averages a luma plane into a grid of whole-pixel boxes.
 * @throws RangeError if the plane is smaller than the grid.
 */
export function lumaGrid(width: number, height: number, columns: number, rows: number): (luma: Uint8Array, out: Uint8Array) => void {
  if (width < columns || height < rows) throw new RangeError(`a frame of at least ${columns}x${rows} is needed, got ${width}x${height}`);
  // Column c of the grid begins at column starts[c] of the plane.
  const starts = Int32Array.from({ length: columns + 1 }, (_, c) => Math.ceil((c * width) / columns));
  const line = new Int32Array(columns);
  return (luma, out) => {
    for (let r = 0, y = 0; r < rows; r++) {
      const next = Math.ceil(((r + 1) * height) / rows);
      const lines = next - y;
      line.fill(0);
      for (; y < next; y++) {
        for (let c = 0, p = y * width; c < columns; c++) {
          let sum = 0;
          for (const end = y * width + starts[c + 1]!; p < end; p++) sum += luma[p]!;
          line[c]! += sum;
        }
      }
      for (let c = 0; c < columns; c++) out[r * columns + c] = line[c]! / ((starts[c + 1]! - starts[c]!) * lines) + 0.5;
    }
  };
}

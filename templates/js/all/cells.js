// Arrow columns as arrays of JavaScript values, and back; `null` is null.
// wit/plugin.wit describes the layout: interface `columns`.

// A byte order mark in a cell is a character like any other.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Whether the cell of a row is there, for columns of every type. */
export function isPresent(column, row) {
  const bits = column.validity;
  return bits === undefined || ((bits[row >> 3] >> (row & 7)) & 1) === 1;
}

/** The cells of a text column. */
export function textCells(column, rows) {
  const { data, offsets } = column.values.val;
  const all = decoder.decode(data);
  // Where each character is a byte, cells are slices of one text: faster, and in less memory.
  const ascii = all.length === data.length;
  return Array.from({ length: rows }, (_, row) => {
    if (!isPresent(column, row)) return null;
    const [start, end] = [offsets[row], offsets[row + 1]];
    return ascii ? all.slice(start, end) : decoder.decode(data.subarray(start, end));
  });
}

/** A text column of these cells. */
export function textColumn(cells) {
  // Nulls leave nothing in it.
  const all = cells.join('');
  const data = encoder.encode(all);
  const ascii = data.length === all.length;
  const offsets = new Int32Array(cells.length + 1);
  cells.forEach((cell, row) => {
    const bytes = cell === null ? 0 : ascii ? cell.length : byteLength(cell);
    offsets[row + 1] = offsets[row] + bytes;
  });
  return { values: { tag: 'text', val: { offsets, data } }, validity: validity(cells) };
}

/** An int64 column of these cells. */
export function int64Column(cells) {
  const values = BigInt64Array.from(cells, (cell) => BigInt(cell ?? 0));
  return { values: { tag: 'int64', val: values }, validity: validity(cells) };
}

/** Which cells are there, as the contract wants it: none if all are. */
function validity(cells) {
  return cells.includes(null) ? bits(cells.map((cell) => cell !== null)) : undefined;
}

/** One bit a row, the least significant first. */
export function bits(flags) {
  const packed = new Uint8Array((flags.length + 7) >> 3);
  flags.forEach((flag, row) => {
    if (flag) packed[row >> 3] |= 1 << (row & 7);
  });
  return packed;
}

/** The number of characters of a text: its `length` counts those beyond 16 bits twice. */
export function characterCount(text) {
  // The engine has no compiler: a pattern is many times faster than a loop over characters.
  return text.length - (text.match(/[\u{10000}-\u{10ffff}]/gu)?.length ?? 0);
}

/** The number of bytes of a text in UTF-8. */
export function byteLength(text) {
  return encoder.encode(text).length;
}

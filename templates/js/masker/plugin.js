// Keeps the last characters of a text and hides the others. A text that is no longer than what
// may stay is hidden as a whole.
import { characterCount, textCells, textColumn } from './cells.js';
import { expectType, options, wholeNumber } from './config.js';

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    keep: {
      type: 'integer',
      minimum: 0,
      default: 4,
      description: 'How many characters stay at the end.',
    },
  },
};

export const plugin = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'Keeps the last characters of a text and hides the others.',
    documentation: '',
    configSchema: JSON.stringify(SCHEMA),
  }),
};

class Mask {
  constructor(keep, fields, masks) {
    this.keep = keep;
    this.granted = fields;
    this.masks = masks;
  }

  static open(config, fields, masks) {
    const keep = wholeNumber(options(config, ['keep']), 'keep', 4);
    const columns = Array.from(masks);
    expectType(columns.map((column) => fields[column]), 'text');
    return new Mask(keep, fields, columns);
  }

  fields() {
    return this.granted;
  }

  keeps() {
    // Of `(1234)` all letters and digits stay; the host's leak guard rejects longer ones.
    return this.masks.map(() => ({ tag: 'characters', val: this.keep }));
  }

  apply(batch) {
    return this.masks.map((column) => ({
      column,
      action: this.mask(batch.columns[column], batch.rows),
    }));
  }

  mask(column, rows) {
    const cells = textCells(column, rows);
    const masked = cells.map((cell) => (cell === null ? null : this.hide(cell)));
    return { tag: 'replace', val: textColumn(masked) };
  }

  hide(cell) {
    let start = cell.length;
    for (let kept = 0; kept < this.keep && start > 0; kept++) {
      // The second half of a character beyond 16 bits; a first half stands before it.
      start -= (cell.charCodeAt(start - 1) & 0xfc00) === 0xdc00 ? 2 : 1;
    }
    if (start === 0) start = cell.length;
    return '*'.repeat(characterCount(cell.slice(0, start))) + cell.slice(start);
  }
}

export const masker = { Mask };

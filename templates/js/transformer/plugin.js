// Adds the length of a text as a column. A null has no length: the new cell is null too.
import { byteLength, characterCount, int64Column, textCells } from './cells.js';
import { expectType, options, refusal } from './config.js';

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    count: {
      enum: ['characters', 'bytes'],
      default: 'characters',
      description: 'What is counted: Unicode scalar values, or bytes of UTF-8.',
    },
  },
};

export const plugin = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'Adds the length of a text.',
    documentation: '',
    configSchema: JSON.stringify(SCHEMA),
  }),
};

class Transform {
  constructor(count, adds) {
    this.count = count;
    this.adds = adds;
  }

  static open(config, fields, adds) {
    const count = options(config, ['count']).count ?? 'characters';
    if (!['characters', 'bytes'].includes(count)) {
      throw refusal('/count', 'is neither `characters` nor `bytes`');
    }
    if (fields.length !== 1 || adds.length !== 1) {
      throw refusal('', 'write one column in `reads` and one in `adds`');
    }
    expectType(fields, 'text');
    expectType(adds, 'int64');
    return new Transform(count, adds);
  }

  fields() {
    return this.adds;
  }

  apply(batch) {
    const cells = textCells(batch.columns[0], batch.rows);
    const lengths = cells.map((cell) => (cell === null ? null : this.length(cell)));
    return { columns: [int64Column(lengths)], keep: undefined };
  }

  length(cell) {
    return this.count === 'characters' ? characterCount(cell) : byteLength(cell);
  }
}

export const transformer = { Transform };

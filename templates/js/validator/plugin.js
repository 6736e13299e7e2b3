// Finds texts that are too short. Nulls are none of its business: `required` finds those.
import { characterCount, textCells } from './cells.js';
import { expectType, options, wholeNumber } from './config.js';

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['min-length'],
  examples: [{ 'min-length': 3 }],
  properties: {
    'min-length': {
      type: 'integer',
      minimum: 0,
      description: 'The least number of characters that is right.',
    },
  },
};

export const plugin = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'Finds texts that are too short.',
    documentation: '',
    configSchema: JSON.stringify(SCHEMA),
  }),
};

class Check {
  constructor(least, fields) {
    this.least = least;
    this.names = fields.map((field) => field.name);
  }

  static open(config, fields) {
    const least = wholeNumber(options(config, ['min-length']), 'min-length');
    expectType(fields, 'text');
    return new Check(least, fields);
  }

  rules() {
    return this.names.map((name, column) => ({
      id: 'min-length',
      column,
      message: `\`${name}\` has fewer than ${this.least} characters`,
    }));
  }

  apply(batch) {
    return batch.columns.flatMap((column, rule) => {
      const rows = [];
      textCells(column, batch.rows).forEach((cell, row) => {
        if (cell !== null && characterCount(cell) < this.least) rows.push(row);
      });
      return rows.length > 0 ? [{ rule, rows }] : [];
    });
  }
}

export const validator = { Check };

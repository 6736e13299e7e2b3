// Reading the step's `with:` block. What is wrong is refused at its place, before the first row.

/** The refusal of an option, given as a JSON Pointer, or of the whole block (''); to be thrown. */
export function refusal(path, message) {
  return { path, message };
}

/** The block as an object that has known options only. */
export function options(config, known) {
  const block = config ? JSON.parse(config) : {};
  for (const name of Object.keys(block)) {
    if (!known.includes(name)) {
      const pointer = name.replaceAll('~', '~0').replaceAll('/', '~1');
      throw refusal(`/${pointer}`, `unknown option; there are: ${known.join(', ')}`);
    }
  }
  return block;
}

/** An option that is a whole number, 0 or more; needed if it has no default. */
export function wholeNumber(block, name, otherwise) {
  const value = block[name] ?? otherwise;
  if (value === undefined) throw refusal('', `\`${name}\` is missing`);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw refusal(`/${name}`, 'is not a whole number, 0 or more');
  }
  return value;
}

/** Refuses fields of another type, by name. */
export function expectType(fields, expected) {
  for (const { name, dataType } of fields) {
    if (dataType.tag !== expected) {
      const message = `column \`${name}\` is ${dataType.tag}, but this takes only ${expected}`;
      throw refusal('', message);
    }
  }
}

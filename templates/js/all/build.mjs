// Makes the component by componentize-js's API; its command line does not find a folder of WIT.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'plugin.js',
  witPath: 'wit',
  worldName: '{{world}}-plugin',
  // A plugin has no network, and the host refuses a component that asks for it.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile('{{name}}.wasm', component);

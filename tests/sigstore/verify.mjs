// Has npm's @sigstore/verify judge proofs without a network: node verify.mjs PUBLIC-KEY.pem PROOF...
// Prints `verified` or `refused` for each.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { Verifier, toSignedEntity } from '@sigstore/verify';

const [pem, ...proofs] = process.argv.slice(2);
const publicKey = createPublicKey(readFileSync(pem));
const trusted = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey: () => ({ publicKey, validFor: () => true }) };
// A plain key is in no log, and a proof says itself when it was made.
const verifier = new Verifier(trusted, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });

for (const proof of proofs) {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(readFileSync(proof, 'utf8')))));
    console.log('verified');
  } catch (error) {
    console.log(`refused: ${error.message}`);
  }
}

"""Verifies a proof of Glovebox: python verify_proof.py PROOF PUBLIC-KEY.pem [FILE...]; exit code 0, or 1 and why not."""
import base64, hashlib, json, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

def verify(proof: bytes, pem: bytes) -> dict:
    """The statement of a proof. Raises ValueError or InvalidSignature."""
    pack, key = json.loads(proof), serialization.load_pem_public_key(pem)
    name = hashlib.sha256(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    envelope = pack.get("dsseEnvelope", pack)
    body, signature = (base64.b64decode(text, validate=True) for text in (envelope["payload"], envelope["signatures"][0]["sig"]))
    text = lambda raw: base64.b64encode(raw).decode()
    spelt = {"payload": text(body), "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": name, "sig": text(signature)}]}
    if isinstance(key, ec.EllipticCurvePublicKey):
        spelt = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": name}, "tlogEntries": []}, "dsseEnvelope": spelt}
    if json.dumps(spelt, separators=(",", ":")).encode() + b"\n" != proof:
        raise ValueError("signed by another key, or changed: it is not spelt as its content is")
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(body), body)
    key.verify(signature, signed, *([ec.ECDSA(hashes.SHA256())] if isinstance(key, ec.EllipticCurvePublicKey) else []))
    return json.loads(body)

if __name__ == "__main__":
    try:
        statement = verify(open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read())
        digests = [subject["digest"].get("sha256") for subject in statement["subject"]]
        wrong = [file for file in sys.argv[3:] if hashlib.sha256(open(file, "rb").read()).hexdigest() not in digests]
    except (InvalidSignature, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        sys.exit(f"NOT VERIFIED: {type(error).__name__}: {error}")
    sys.exit(f"NOT VERIFIED: changed since: {', '.join(wrong)}" if wrong else print(json.dumps(statement, indent=1)))

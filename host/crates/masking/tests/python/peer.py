"""Opens masks that Glovebox made, and makes others of the same values for Glovebox to open.

Argument: a folder. Each KIND.ours has lines of a value and its mask, KIND.theirs gets the same; all
in hex but for tokens. Keys are those of keys.json. Prints how many of each kind were right.
"""

import base64
import hmac
import json
import pathlib
import struct
import sys

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESSIV, ChaCha20Poly1305

TIME = 499_162_800


def fernet(keys):
    cipher = Fernet(keys["fernet"])
    return (
        lambda token: cipher.decrypt_at_time(token, ttl=60, current_time=TIME + 1),
        lambda value: cipher.encrypt_at_time(value, TIME).decode(),
    )


def aes_siv(key, domain):
    cipher = AESSIV(bytes.fromhex(key))
    return (
        lambda mask: cipher.decrypt(bytes.fromhex(mask), [domain]),
        lambda value: cipher.encrypt(value, [domain]).hex(),
    )


# HPKE (RFC 9180) as far as sealed values need it: the export of a base mode context.
KEM = b"KEM" + struct.pack(">H", 0x20)
SUITE = b"HPKE" + struct.pack(">HHH", 0x20, 1, 3)


def extract(salt, suite, label, secret):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, "sha256")


def expand(key, suite, label, info):
    # One block of HKDF is all that is asked for.
    labelled = struct.pack(">H", 32) + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\x01", "sha256")


def exported(shared, enc, recipient, info, context):
    prk = extract(b"", KEM, b"eae_prk", shared)
    secret = expand(prk, KEM, b"shared_secret", enc + recipient)
    ids = extract(b"", SUITE, b"psk_id_hash", b"") + extract(b"", SUITE, b"info_hash", info)
    secret = extract(secret, SUITE, b"secret", b"")
    exporter = expand(secret, SUITE, b"exp", b"\x00" + ids)
    return expand(exporter, SUITE, b"sec", context)


def seal(keys, domain):
    private = x25519.X25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(keys["x25519"]))
    public = private.public_key()
    recipient = public.public_bytes_raw()
    known = {}

    def cipher(shared, enc):
        return ChaCha20Poly1305(exported(shared, enc, recipient, b"glovebox seal v1", b"values"))

    def opened(mask):
        sealed = bytes.fromhex(mask)
        enc, number, text = sealed[:32], sealed[32:40], sealed[40:]
        if enc not in known:
            point = x25519.X25519PublicKey.from_public_bytes(enc)
            known[enc] = cipher(private.exchange(point), enc)
        return known[enc].decrypt(bytes(4) + number, text, domain)

    ephemeral = x25519.X25519PrivateKey.generate()
    enc = ephemeral.public_key().public_bytes_raw()
    context = cipher(ephemeral.exchange(public), enc)
    numbers = iter(range(2**32))

    def sealed(value):
        number = struct.pack(">Q", next(numbers))
        return (enc + number + context.encrypt(bytes(4) + number, value, domain)).hex()

    return opened, sealed


def rsa_oaep(keys):
    private = serialization.load_pem_private_key(keys["rsa"].encode(), None)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return lambda mask: private.decrypt(bytes.fromhex(mask), oaep), None


def prefixed(*parts):
    return b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def pick(keys, domain):
    """Places below 1000, and offsets of up to 30 days: nothing opens them, they are made again."""

    def draw(label, value):
        code = hmac.digest(keys["pick"].encode(), prefixed(label, b"first", domain) + value, "sha256")
        return int.from_bytes(code[:16], "big")

    def made(value):
        place = draw(b"shift", value) % 60
        offset = place - 30 if place < 30 else place - 29
        return f"{draw(b'pick', value) % 1000} {offset}"

    return None, made


def main():
    folder = pathlib.Path(sys.argv[1])
    keys = json.loads((folder / "keys.json").read_text())
    domain = keys["domain"].encode()
    kinds = {
        "fernet": fernet(keys),
        "aes-siv-32": aes_siv(keys["aes-siv-32"], domain),
        "aes-siv-48": aes_siv(keys["aes-siv-48"], domain),
        "aes-siv-64": aes_siv(keys["aes-siv-64"], domain),
        "seal": seal(keys, domain),
        "rsa-oaep": rsa_oaep(keys),
        "pick": pick(keys, domain),
    }
    for kind, (opened, made) in kinds.items():
        right, theirs = 0, []
        for line in (folder / f"{kind}.ours").read_text().splitlines():
            value, mask = line.split("\t")
            value = bytes.fromhex(value)
            if opened is None:
                right += made(value) == mask
            else:
                right += opened(mask) == value
            if made is not None:
                theirs.append(f"{value.hex()}\t{made(value)}\n")
        (folder / f"{kind}.theirs").write_text("".join(theirs))
        print(f"{kind} {right}")


main()

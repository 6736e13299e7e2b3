"""Masks by Python's usual packages, one core: prints each one's name and values a second.

ff3 is FF3-1, which NIST has withdrawn: it is what Python users have for keeping a form. Faker is seeded
by each value, so that the same value has the same name.
"""

import time

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import padding, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from faker import Faker
from ff3 import FF3Cipher

RSA = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuzrrQOOdFITj1sQxEwBb
BGXhyT4PKzbhrv7KnSC67aMB8wiJOTTxTbkNRx2QqQdc+EMuRUbMlseqKPGnzOQR
1Wc/odhIQaEyX9rohPFPE2MlhFdOKPcTt4evLN9vzHbAIy6dSNaEFmrK7HG51Tn6
hKZnFjh0+SUVqoN2gpp6n6hBohXdkaZ/hQvfg55vepFlCmtE3u/q6LlPDrf2Z68l
xnMUk32Yzb9cD/MhvGCe8xt4QnT7nrHjT3T6ylXXO8BlBY/rAA7kAvD1rT/dHhUj
KL6fO1UajmQIetLaDvKGFDowwqfYy/oTVqoTNRIL5U0mjq0Bxa3ak/1RbIqAS6c7
0wIDAQAB
-----END PUBLIC KEY-----"""


def measure(name, count, work):
    values = [str(100_000_000 + 7_919 * number) for number in range(count)]
    started = time.perf_counter()
    for value in values:
        work(value)
    print(name, count / (time.perf_counter() - started))


siv = AESSIV(bytes(range(64)))
measure("AESSIV", 20_000, lambda value: siv.encrypt(value.encode(), [b"customer-id"]))

ff3 = FF3Cipher("2DE79D232DF5585D68CE47882AE256D6", "CBD09280979564")
measure("ff3", 2_000, ff3.encrypt)

fernet = Fernet(Fernet.generate_key())
measure("Fernet", 20_000, lambda value: fernet.encrypt(value.encode()))

suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
public = x25519.X25519PrivateKey.generate().public_key()
measure("hpke", 1_000, lambda value: suite.encrypt(value.encode(), public, info=b"customer-id"))

rsa = serialization.load_pem_public_key(RSA)
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
measure("RSA-OAEP", 1_000, lambda value: rsa.encrypt(value.encode(), oaep))

faker = Faker()


def name(value):
    faker.seed_instance(value)
    return faker.first_name()


measure("Faker", 5_000, name)

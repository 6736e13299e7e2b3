"""PBKDF2-HMAC-SHA-256 with 100,000 iterations by Python's hashlib. Argument: how many values."""

import hashlib
import sys

for value in range(int(sys.argv[1])):
    hashlib.pbkdf2_hmac("sha256", str(value).encode(), b"a salt for the benchmark", 100_000)

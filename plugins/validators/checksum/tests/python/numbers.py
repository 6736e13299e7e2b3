"""Prints numbers of each kind that python-stdnum knows: 1,000 valid ones, and 1,000 that were changed.

A line has the kind, the number, and 1 or 0: what python-stdnum says of it. The same each time.
"""

import importlib.resources
import random
import re
import string

from stdnum import ean, iban, imei, isbn, isin, luhn, verhoeff
from stdnum.de import idnr
from stdnum.es import ccc, dni, nie
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.iso7064 import mod_11_10, mod_97_10
from stdnum.pl import pesel
from stdnum.us import itin, rtn, ssn

COUNT = 1_000
ALPHANUMERIC = string.digits + string.ascii_uppercase
CLASSES = {"n": string.digits, "a": string.ascii_uppercase, "c": ALPHANUMERIC}
draw = random.Random(20261126)


def text(alphabet, length):
    return "".join(draw.choices(alphabet, k=length))


def digits(length):
    return text(string.digits, length)


def countries():
    listed = (importlib.resources.files("stdnum") / "iban.dat").read_text("utf-8")
    return re.findall(r'^([A-Z]{2}) .*bban="(.*?)"', listed, re.MULTILINE)


COUNTRIES = countries()


def an_iban():
    country, form = draw.choice(COUNTRIES)
    account = "".join(text(CLASSES[c], int(n)) for n, c in re.findall(r"(\d+)!([nac])", form))
    if country == "ES":
        account = account[:8] + ccc.calc_check_digits(account) + account[10:]
    # The last digits are national check digits in the other countries that have some.
    for last in draw.sample(range(100), 100) if country in ("BE", "ME", "NO") else [None]:
        if last is not None:
            account = f"{account[:-2]}{last:02}"
        number = country + iban.calc_check_digits(f"{country}00{account}") + account
        if iban.is_valid(number):
            return draw.choice([number, iban.format(number)])
    return an_iban()


def an_isbn():
    if draw.random() < 0.5:
        nine = digits(9)
        return nine + isbn._calc_isbn10_check_digit(nine)
    twelve = draw.choice(["978", "979"]) + digits(9)
    return isbn.format(twelve + ean.calc_check_digit(twelve))


def with_check(module, payload):
    return payload + module.calc_check_digit(payload)


def an_aba():
    assigned = [*range(13), *range(21, 33), *range(61, 73), 80]
    return with_check(rtn, f"{draw.choice(assigned):02}{digits(6)}")


def an_isin():
    return with_check(isin, draw.choice(isin._iso_3116_1_country_codes) + text(ALPHANUMERIC, 9))


def an_idnr():
    chosen = draw.sample(string.digits, draw.choice([8, 9]))
    ten = chosen + [draw.choice(chosen)] * (10 - len(chosen))
    draw.shuffle(ten)
    ten = "".join(ten)
    return draw.choice([str, idnr.format])(ten + mod_11_10.calc_check_digit(ten))


def a_nir():
    place = draw.choice(["2A", "2B", digits(2)])
    start = draw.choice("12") + digits(4) + place + digits(6)
    return draw.choice([str, nir.format])(start + nir.calc_check_digits(start))


def a_pesel():
    century = draw.choice([0, 20, 40, 60, 80])
    born = f"{draw.randrange(100):02}{century + draw.randint(1, 12):02}{draw.randint(1, 31):02}"
    return with_check(pesel, born + digits(4))


# Kind: how one is made, which is tried again where it is not valid; and the module that judges it.
KINDS = {
    "luhn": (lambda: with_check(luhn, digits(draw.randint(1, 24))), luhn),
    "mod-97": (
        lambda: (payload := text(ALPHANUMERIC, draw.randint(1, 30)))
        + mod_97_10.calc_check_digits(payload),
        mod_97_10,
    ),
    "verhoeff": (lambda: with_check(verhoeff, digits(draw.randint(1, 24))), verhoeff),
    "iban": (an_iban, iban),
    "aba": (an_aba, rtn),
    "isin": (an_isin, isin),
    "ean": (lambda: with_check(ean, digits(draw.choice([7, 11, 12, 13]))), ean),
    "isbn": (an_isbn, isbn),
    "imei": (lambda: draw.choice([str, imei.format])(with_check(luhn, digits(14))), imei),
    "us-ssn": (lambda: draw.choice([str, ssn.format])(digits(9)), ssn),
    "us-itin": (lambda: draw.choice([str, itin.format])("9" + digits(8)), itin),
    "nhs": (lambda: draw.choice([str, nhs.format])(digits(10)), nhs),
    "aadhaar": (
        lambda: draw.choice([str, aadhaar.format])(with_check(verhoeff, digits(11))),
        aadhaar,
    ),
    "steuer-id": (an_idnr, idnr),
    "nir": (a_nir, nir),
    "dni": (lambda: with_check(dni, digits(8)), dni),
    "nie": (lambda: with_check(nie, draw.choice("XYZ") + digits(7)), nie),
    "pesel": (a_pesel, pesel),
}


def valid(make, module):
    while not module.is_valid(number := make()):
        pass
    return number


def changed(number):
    """One or two mistakes of people who type, or check digits that have the same rest."""
    for _ in range(draw.randint(1, 2)):
        place = draw.randrange(len(number))
        new = draw.choice([digits(1), digits(1), text(ALPHANUMERIC, 1), draw.choice(" -.")])
        act = draw.randrange(6)
        if act == 0:
            number = number[:place] + number[place + 1 :]
        elif act == 1:
            number = number[:place] + new + number[place:]
        elif act == 2:
            number = number[:place] + number[place : place + 2][::-1] + number[place + 2 :]
        elif act == 3 and number[2:4].isdigit():
            other = int(number[2:4]) + draw.choice([-97, 97])
            number = f"{number[:2]}{other:02}{number[4:]}" if 0 <= other < 100 else number.lower()
        else:
            number = number[:place] + new + number[place + 1 :]
    return number or "0"


for kind, (make, module) in KINDS.items():
    for _ in range(COUNT):
        print(kind, valid(make, module), 1, sep="\t")
    for _ in range(COUNT):
        number = valid(make, module)
        while (other := changed(number)) == number:
            pass
        print(kind, other, int(module.is_valid(other)), sep="\t")

"""Writes generated columns, half of them personal: columns.csv, and labels.json that says what each is.

Usage: columns.py SEED COLUMNS ROWS FOLDER. The same seed writes the same files. Columns that are not
personal are what is easily taken for it: numbers of orders among which a tenth has a card's check digit,
versions that look like addresses, towns that are called after people, dates of events.
"""

import csv
import json
import random
import string
import sys
from pathlib import Path

from faker import Faker
from stdnum import iban, luhn, verhoeff
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.iso7064 import mod_97_10

LOCALES = [
    "en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES",
    "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "da_DK",
]

seed, count, rows, folder = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
draw = random.Random(seed)
fakers = {}
for place, locale in enumerate(LOCALES):
    fakers[locale] = Faker(locale)
    fakers[locale].seed_instance(seed * 100 + place)


def text(alphabet, length):
    return "".join(draw.choices(alphabet, k=length))


def digits(length):
    return text(string.digits, length)


def weighted(number, weights):
    return sum(int(digit) * weight for digit, weight in zip(number, weights))


# What people are given.

def itin(_):
    group = draw.choice([*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)])
    return f"9{digits(2)}-{group}-{digits(4)}"


def aba(_):
    while True:
        eight = f"{draw.choice([*range(1, 13), *range(21, 33)]):02}{digits(6)}"
        return eight + str(-weighted(eight, [3, 7, 1, 3, 7, 1, 3, 7]) % 10)


def nhs(_):
    while True:
        nine = draw.choice("4467") + digits(8)
        check = 11 - weighted(nine, range(10, 1, -1)) % 11
        if check < 10 or check == 11:
            number = nine + str(check % 11)
            return number


def spaced_nhs(_):
    number = nhs(_)
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def nino(_):
    while True:
        first, second = draw.choice("ABCEGHJKLMNOPRSTWXYZ"), draw.choice("ABCEGHJKLMNPRSTWXYZ")
        if first + second not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            return first + second + digits(6) + draw.choice("ABCD")


def aadhaar(_):
    eleven = draw.choice("23456789") + digits(10)
    return eleven + verhoeff.calc_check_digit(eleven)


def spaced_aadhaar(_):
    number = aadhaar(_)
    return f"{number[:4]} {number[4:8]} {number[8:]}"


def vin(_):
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9]))
    weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]
    number = draw.choice("12345JKLSVWYZ") + text(letters, 7) + "0" + text(letters, 8)
    rest = sum(int(values.get(c, c)) * w for c, w in zip(number, weights)) % 11
    return number[:8] + ("X" if rest == 10 else str(rest)) + number[9:]


def isin(_):
    number = draw.choice(["US", "DE", "FR", "GB", "ES", "IT", "NL", "SE"]) + text(string.digits + "ABCDEFGHJK", 9)
    return number + luhn.calc_check_digit("".join(str(int(c, 36)) for c in number))


def steuer_id(_):
    while True:
        ten = draw.sample(string.digits, 9)
        ten.insert(draw.randrange(10), draw.choice(ten))
        ten = "".join(ten)
        if ten[0] != "0":
            for check in string.digits:
                if idnr.is_valid(ten + check):
                    return ten + check


def personalausweis(_):
    nine = draw.choice("CFGHJKLMNPRTVWXYZ") + text("0123456789CFGHJKLMNPRTVWXYZ", 8)
    return nine + str(sum(int(c, 36) * w for c, w in zip(nine, [7, 3, 1] * 3)) % 10)


def a_dni(_):
    eight = digits(8)
    return eight + dni.calc_check_digit(eight)


def nie(_):
    first = draw.choice("XYZ")
    seven = digits(7)
    return first + seven + dni.calc_check_digit(str("XYZ".index(first)) + seven)


def nir(_):
    number = f"{draw.choice('12')}{draw.randrange(30, 99):02}{draw.randrange(1, 13):02}{draw.randrange(1, 96):02}{digits(6)}"
    return f"{number}{97 - int(number) % 97:02}"


def pesel(_):
    ten = f"{draw.randrange(30, 100):02}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}{digits(4)}"
    return ten + str(-weighted(ten, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)


def an_iban(fake):
    return fake.iban()


def spaced_iban(fake):
    return iban.format(fake.iban())


def spaced_card(fake):
    number = fake.credit_card_number("visa16")
    return " ".join(number[at : at + 4] for at in range(0, 16, 4))


def born(form):
    return lambda fake: fake.date_of_birth(minimum_age=16, maximum_age=95).strftime(form)


def note(kind):
    """Sentences, of which one in four has something personal in it."""

    def write(fake):
        words = fake.sentence(nb_words=8)
        if draw.random() > 0.25:
            return words
        what = {
            "email": fake.email,
            "phone": lambda: "+" + digits(1).replace("0", "4") + digits(10),
            "iban": fakers["de_DE"].iban,
            "name": lambda: draw.choice(["Mr ", "Mrs ", "Dr. "]) + fake.last_name(),
            "card": lambda: fake.credit_card_number("visa16"),
        }[kind]
        return f"{words[:-1]} {what()}, {fake.word()} {fake.word()}."

    return write


# kind, locales or all, names of columns, cells, whether cells alone can show it
PERSONAL = [
    ("email", None, "email e_mail mail contact_email E-Mail-Adresse correo courriel", lambda f: f.email(), True),
    ("phone", None, "phone telephone tel mobile telefon telefoonnummer telefono phone_number", lambda f: f.phone_number(), True),
    ("phone", ["en_US"], "phone mobile contact_phone", lambda f: f"+1 {draw.randrange(201, 989)} {draw.randrange(200, 999)} {digits(4)}", True),
    ("card", None, "card card_number cc credit_card pan kreditkarte", lambda f: f.credit_card_number(), True),
    ("card", None, "card card_number payment_card", spaced_card, True),
    ("iban", ["en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL"], "iban account bank_account konto", an_iban, True),
    ("iban", ["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL"], "iban bank_account kontonummer", spaced_iban, True),
    ("us-ssn", ["en_US"], "ssn social_security_number social_security", lambda f: f.ssn(), True),
    ("us-itin", ["en_US"], "itin tax_id tin", itin, True),
    ("ip", None, "ip ip_address client_ip remote_addr ipv4", lambda f: f.ipv4_public(), True),
    ("ip", None, "ip ipv6 ip_address source_ip", lambda f: f.ipv6(), True),
    ("mac", None, "mac mac_address device_mac", lambda f: f.mac_address(), True),
    ("aba", ["en_US"], "aba routing_number bank_routing", aba, True),
    ("nhs", ["en_GB"], "nhs nhs_number patient_nhs", nhs, True),
    ("nhs", ["en_GB"], "nhs nhs_no", spaced_nhs, True),
    ("nino", ["en_GB"], "nino national_insurance ni_number", nino, True),
    ("aadhaar", ["en_IN"], "aadhaar aadhaar_no uid_number", aadhaar, True),
    ("aadhaar", ["en_IN"], "aadhaar aadhaar_number", spaced_aadhaar, True),
    ("vin", ["en_US"], "vin vehicle_vin chassis_number", vin, True),
    ("isin", None, "isin security_isin wertpapier", isin, True),
    ("steuer-id", ["de_DE"], "steuer_id steuerid idnr tax_id", steuer_id, True),
    ("personalausweis", ["de_DE"], "personalausweis ausweisnummer id_card", personalausweis, True),
    ("dni", ["es_ES"], "dni nif documento", a_dni, True),
    ("nie", ["es_ES"], "nie documento", nie, True),
    ("nir", ["fr_FR"], "nir numero_secu insee", nir, True),
    ("pesel", ["pl_PL"], "pesel numer_pesel", pesel, True),
    ("birth-date", None, "dob birth_date date_of_birth geburtsdatum date_naissance born", born("%Y-%m-%d"), True),
    ("birth-date", None, "dob birthdate geburtstag fecha_nacimiento", born("%d.%m.%Y"), True),
    ("birth-date", None, "birthday dob", born("%d/%m/%Y"), True),
    ("postcode", ["en_GB", "nl_NL", "pl_PL", "pt_BR"], "postcode zip postal_code kod_pocztowy cep", lambda f: f.postcode(), True),
    ("postcode", ["en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "sv_SE", "da_DK", "en_IN"],
     "zip plz postcode codigo_postal code_postal zip_code pincode", lambda f: f.postcode(), False),
    ("person-name", None, "name full_name customer customer_name kunde nom", lambda f: f.name(), True),
    ("person-name", None, "first_name vorname prenom given_name nombre fornavn", lambda f: f.first_name(), True),
    ("person-name", None, "last_name nachname surname family_name apellido efternamn", lambda f: f.last_name(), True),
    ("person-name", None, "name contact", lambda f: f"{f.last_name()}, {f.first_name()}", True),
    ("address", None, "address street strasse adresse direccion indirizzo", lambda f: f.street_address(), True),
    ("address", None, "address full_address home_address", lambda f: f.address().replace("\n", ", "), True),
    *[("free-text", None, "note notes comment remarks bemerkung description", note(kind), True)
      for kind in ("email", "phone", "iban", "name", "card")],
]


# What is not personal.

def numbered():
    start, step = draw.randrange(10**5, 10**7), draw.choice([1, 1, 1, 7])
    state = {"at": start}

    def following(_):
        state["at"] += step
        return str(state["at"])

    return following


def random_digits(length, first="123456789"):
    return lambda _: draw.choice(first) + digits(length - 1)


def pattern(form):
    """`#` for a digit, `?` for a letter."""
    return lambda _: "".join(
        draw.choice(string.digits) if c == "#" else draw.choice(string.ascii_uppercase) if c == "?" else c for c in form
    )


def ean(length):
    def make(_):
        body = digits(length - 1)
        total = sum(int(d) * (3 if at % 2 == 0 else 1) for at, d in enumerate(reversed(body)))
        return body + str(-total % 10)

    return make


def choice(*words):
    return lambda _: draw.choice(words)


def founded(fake):
    return fake.date_between("-70y", "-3y").isoformat()


def product(fake):
    return f"{fake.color_name()} {draw.choice(['chair', 'lamp', 'table', 'Bike', 'desk', 'Phone case', 'Mug'])} {draw.randrange(1, 99)}"


NEUTRAL = "field col attribute value data x c var property item_data"

OTHER = [
    ("order number", "order_no order_id bestellnummer orden", random_digits(10)),
    ("order number", "order_number order", random_digits(16)),
    ("order number like a card", "order_number invoice", random_digits(16, "45")),
    ("order number", "invoice_no invoice", random_digits(9)),
    ("order number", "order_ref transaction", random_digits(12)),
    ("order number", "batch_no lot", random_digits(11)),
    ("order number", "ticket_no", pattern("ORD-#######")),
    ("sequence", "id order_id row", numbered),
    ("product code", "sku article product_code", pattern("??-####-?")),
    ("product code", "sku item_code", pattern("??#######?")),
    ("part number", "part_no item", pattern("###-##-####")),
    ("part number", "part_number", pattern("###-###-###")),
    ("serial", "serial serial_no", pattern("????########?????")),
    ("timestamp", "created_at updated timestamp", lambda f: f.date_time_between("-5y").isoformat()),
    ("timestamp", "ts event_time", lambda f: str(int(f.date_time_between("-5y").timestamp()))),
    ("date", "order_date shipped_on datum", lambda f: f.date_between("-8y").isoformat()),
    ("date", "delivery_date", lambda f: f.date_between("-4y").strftime("%d.%m.%Y")),
    ("founding date", "founded established", founded),
    ("time", "opens at", lambda f: f.time()),
    ("version", "version firmware release", lambda f: ".".join(str(draw.randrange(0, 20)) for _ in range(4))),
    ("version", "app_version build", lambda f: f"{draw.randrange(9)}.{draw.randrange(30)}.{draw.randrange(99)}"),
    ("uuid", "uuid session event_id", lambda f: f.uuid4()),
    ("hash", "hash md5 checksum", lambda f: f.md5()),
    ("hash", "sha256 digest checksum", lambda f: f.sha256()),
    ("price", "price amount total preis", lambda f: f"{draw.uniform(1, 5000):.2f}"),
    ("price", "price preis", lambda f: f"{draw.randrange(1, 9999)},{draw.randrange(100):02}"),
    ("quantity", "quantity qty menge", lambda f: str(draw.randrange(1, 500))),
    ("quantity", "stock units", lambda f: str(draw.randrange(1000, 99999))),
    ("percentage", "rate share", lambda f: f"{draw.uniform(0, 100):.1f}%"),
    ("ean", "ean barcode gtin", ean(13)),
    ("ean", "ean8 barcode", ean(8)),
    ("isbn", "isbn book", lambda f: f.isbn13()),
    ("isbn", "isbn isbn10", lambda f: f.isbn10()),
    ("city of a shop", "city shop_city stadt ville ciudad town", lambda f: f.city()),
    ("country", "country land pays", lambda f: f.country()),
    ("company", "company firma supplier vendor empresa", lambda f: f.company()),
    ("product", "product item_name product_name", product),
    ("word", "category tag label", lambda f: f.word()),
    ("sentence", "product_description slogan", lambda f: f.sentence(nb_words=9)),
    ("job", "job_title role position", lambda f: f.job()),
    ("status", "status state", choice("open", "paid", "shipped", "returned")),
    ("boolean", "active is_open", choice("true", "false")),
    ("currency", "currency waehrung", lambda f: f.currency_code()),
    ("colour", "colour color", lambda f: f.color_name()),
    ("hex colour", "colour color", lambda f: f.hex_color()),
    ("domain", "domain host website", lambda f: f.domain_name()),
    ("url", "url link image_url", lambda f: f"https://shop.example/{f.word()}/{digits(5)}"),
    ("path", "file path", lambda f: f.file_path()),
    ("measure", "weight temperature", lambda f: f"{draw.gauss(20, 8):.2f}"),
    ("size", "size dimensions", lambda f: f"{draw.randrange(99)}x{draw.randrange(99)}x{draw.randrange(99)}"),
    ("duration", "duration", lambda f: f"{draw.randrange(24):02}:{draw.randrange(60):02}:{draw.randrange(60):02}"),
    ("year", "year model_year", lambda f: str(draw.randrange(1990, 2027))),
    ("tracking", "tracking tracking_no", pattern("1Z######0#########")),
    ("language", "language lang", lambda f: f.language_code()),
]


def a_column(place, personal):
    if personal:
        kind, locales, names, make, by_cells = PERSONAL[place % len(PERSONAL)]
        locale = draw.choice(locales or LOCALES)
    else:
        kind, names, make = OTHER[place % len(OTHER)]
        locale, by_cells = draw.choice(LOCALES), True
        if make is numbered:
            make = numbered()
    telling = draw.random() < 0.6 or not by_cells
    name = draw.choice((names if telling else NEUTRAL).split())
    nulls, junk = draw.choice([0, 0, 0.1, 0.3]), draw.choice([0, 0, 0.02])
    cells = []
    for _ in range(rows):
        chance = draw.random()
        if chance < nulls:
            cells.append("")
        elif chance < nulls + junk:
            cells.append(draw.choice(["n/a", "-", "unknown", "?"]))
        else:
            cells.append(make(fakers[locale]))
    label = {"kind": kind, "personal": personal, "locale": locale, "telling": telling}
    return name, label, cells


columns = [a_column(place // 2, place % 2 == 0) for place in range(count)]
draw.shuffle(columns)
header = [f"{name}_{place}" for place, (name, _, _) in enumerate(columns)]
folder.mkdir(parents=True, exist_ok=True)
with open(folder / "columns.csv", "w", encoding="utf-8", newline="") as out:
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows(zip(*(cells for _, _, cells in columns)))
labels = {name: label for name, (_, label, _) in zip(header, columns)}
(folder / "labels.json").write_text(json.dumps(labels, indent=1), encoding="utf-8")

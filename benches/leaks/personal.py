"""Personal data of every kind, with right check digits. Families as in `credentials`: `form` needs nothing beside it,
`named` has a check that is too weak alone, `generic` has none."""

import re

from credentials import Kind
from draw import base58check, bech32, five_bits, keccak256, luhn_digit, mod97, verhoeff_digit, weighted

KINDS: list[Kind] = []


def pii(name, family="form", names=()):
    def register(function):
        KINDS.append(Kind(name, family, function, list(names), of="pii"))
        return function

    return register


def digits(r, count, first="0123456789"):
    return r.choice(first) + r.text("d", count - 1)


def until(draw):
    """Some numbers have no check digit: the next one is tried."""

    def drawn(r):
        while True:
            found = draw(r)
            if found is not None:
                return found

    return drawn


def ymd(r, first=1945, last=2004):
    year, month, day = r.date(first, last)
    return year, f"{year % 100:02}", f"{month:02}", f"{day:02}"


# everywhere -------------------------------------------------------------------------------------------

GIVEN = "rosa jonas marta pavel ingrid tomas amina kenji lucia oskar priya erik helena diego yusuf clara".split()
FAMILY = "klein novak silva larsen okafor tanaka moreau rossi kaya fischer jensen costa marin weiss".split()


@pii("email")
def _(r):
    at = r.choice(["acme-corp.io", "nordwind.de", "mail.contoso-labs.com", "kestrel.co.uk", "umbrella-kaffee.ch", "gmx.net", "outlook.com"])
    local = r.choice([f"{r.choice(GIVEN)}.{r.choice(FAMILY)}{r.randint(1, 99)}", f"{r.choice(GIVEN)}{r.randint(100, 9999)}",
                      f"{r.choice('abcdefgh')}_{r.choice(FAMILY)}+inv{r.randint(1, 9)}"])
    return f"{local}@{at}"


CARDS = {"visa": (["4"], 16), "mastercard": (["51", "52", "53", "54", "55", "2221", "2720", "2500"], 16), "amex": (["34", "37"], 15),
         "discover": (["6011", "644", "65"], 16), "jcb": (["3528", "3589", "3550"], 16), "diners": (["300", "36", "38"], 14),
         "unionpay": (["62"], 16), "maestro": (["5018", "6304", "6759"], 16), "mir": (["2200", "2204"], 16)}


def card_number(r, brand):
    prefixes, length = CARDS[brand]
    while True:
        body = r.choice(prefixes)
        body += r.text("d", length - 1 - len(body))
        if max(map(body.count, "0123456789")) < 7:
            return body + luhn_digit(body)


def grouped(number, sizes, by):
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at:at + size])
        at += size
    return by.join(parts)


SIZES = {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4)}
for brand in CARDS:
    @pii(f"card-{brand}")
    def _(r, brand=brand):
        number = card_number(r, brand)
        return r.choice([number, grouped(number, SIZES[len(number)], " "), grouped(number, SIZES[len(number)], "-")])

IBANS = {"DE": "d18", "GB": "u4d14", "FR": "d10U11d2", "ES": "d20", "NL": "u4d10", "IT": "u1d10U12", "CH": "d5U12", "AT": "d16", "BE": "d12", "PL": "d24",
         "SE": "d20", "NO": "d11", "DK": "d14", "FI": "d14", "PT": "d21", "IE": "u4d14", "CZ": "d20", "RO": "u4U16", "GR": "d7U16", "TR": "d5d1U16",
         "BR": "d23u1U1", "SA": "d2U18", "AE": "d19"}


@pii("iban")
def _(r):
    country = r.choice(sorted(IBANS))
    shape, account = IBANS[country], ""
    for letter, count in re.findall(r"([a-zA-Z])(\d+)", shape):
        account += r.text(letter, int(count))
    check = 98 - mod97(account + country + "00")
    whole = f"{country}{check:02}{account}"
    return r.choice([whole, " ".join(whole[at:at + 4] for at in range(0, len(whole), 4))])


def base58_address(r):
    return base58check(r.choice([b"\0", b"\5"]) + r.bytes(20))


@pii("bitcoin")
def _(r):
    return r.choice([lambda: base58_address(r), lambda: bech32("bc", [0] + five_bits(r.bytes(20))),
                     lambda: bech32("bc", [1] + five_bits(r.bytes(32)), 0x2BC830A3)])()


@pii("ethereum")
def _(r):
    text = r.text("h", 40)
    digest = keccak256(text.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) > 7 else c for c, d in zip(text, digest))


@pii("phone-international")
def _(r):
    return r.choice([
        lambda: f"+49 {r.choice(['30', '89', '151', '176'])} {digits(r, 8, '23456789')}",
        lambda: f"+44 20 7{r.text('d', 3)} {r.text('d', 4)}",
        lambda: f"+1 {r.choice(['212', '415', '646', '312'])} {r.randint(200, 999)} {r.text('d', 4)}",
        lambda: f"+1-{r.choice(['212', '415', '646'])}-{r.randint(200, 999)}-{r.text('d', 4)}",
        lambda: f"+33 6 {r.text('d', 2)} {r.text('d', 2)} {r.text('d', 2)} {r.text('d', 2)}",
        lambda: f"+39 3{r.text('d', 2)} {digits(r, 7, '23456789')}",
        lambda: f"+91 {digits(r, 5, '6789')} {r.text('d', 5)}",
        lambda: f"+81 90 {r.text('d', 4)} {r.text('d', 4)}",
        lambda: f"+55 11 9{r.text('d', 4)}-{r.text('d', 4)}",
        lambda: f"+3161{r.text('d', 7)}",
    ])()


@pii("mrz-td3")
def _(r):
    def check(text):
        values = [0 if c == "<" else int(c, 36) for c in text]
        return str(sum(value * (7, 3, 1)[at % 3] for at, value in enumerate(values)) % 10)

    name = f"{r.choice(FAMILY)}<<{r.choice(GIVEN)}<{r.choice(GIVEN)}".upper()
    number = r.text("U", 9)
    year, yy, mm, dd = ymd(r)
    expiry = f"{r.randint(27, 35)}{mm}{dd}"
    personal = "<" * 14
    first = f"P<D<<{name}".ljust(44, "<")[:44]
    body = f"{number}{check(number)}D<<{yy}{mm}{dd}{check(yy + mm + dd)}{r.choice('MF')}{expiry}{check(expiry)}{personal}{check(personal)}"
    return first + "\n" + body + check(body[0:10] + body[13:20] + body[21:43])


@pii("mrz-td1")
def _(r):
    def check(text):
        values = [0 if c == "<" else int(c, 36) for c in text]
        return str(sum(value * (7, 3, 1)[at % 3] for at, value in enumerate(values)) % 10)

    number = r.text("U", 9)
    year, yy, mm, dd = ymd(r)
    expiry = f"{r.randint(27, 35)}{mm}{dd}"
    first = f"I<UTO{number}{check(number)}".ljust(30, "<")
    second = f"{yy}{mm}{dd}{check(yy + mm + dd)}{r.choice('MF')}{expiry}{check(expiry)}UTO".ljust(29, "<")
    third = f"{r.choice(FAMILY)}<<{r.choice(GIVEN)}".upper().ljust(30, "<")
    return first + "\n" + second + check(first[5:30] + second[0:7] + second[8:15] + second[18:29]) + "\n" + third


@pii("vin", "named", ["vin", "vehicle identification number", "chassis number"])
@until
def _(r):
    alphabet = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
    values = dict(zip("0123456789", range(10))) | dict(zip("ABCDEFGH", range(1, 9))) | dict(zip("JKLMN", range(1, 6))) | {"P": 7, "R": 9} | dict(
        zip("STUVWXYZ", range(2, 10)))
    body = r.choice(["1HG", "WVW", "5YJ", "JTD"]) + r.text(alphabet, 5) + "0" + r.text("ABCDEFGHJKLMNPRSTVWXY123456789", 1) + r.text(alphabet, 1) + r.text("d", 6)
    total = sum(values[c] * weight for c, weight in zip(body, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)))
    check = "X" if total % 11 == 10 else str(total % 11)
    return body[:8] + check + body[9:]


@pii("ip-address", "generic", ["client ip", "remote_addr", "source address"])
def _(r):
    return f"{r.choice([81, 91, 145, 178, 84])}.{r.randint(1, 250)}.{r.randint(1, 250)}.{r.randint(1, 250)}"


@pii("mac-address", "generic", ["mac", "hwaddr"])
def _(r):
    return "3c:" + ":".join(r.text("h", 2) for _ in range(5))


@pii("date-of-birth", "generic", ["date of birth", "dob", "born", "birth date", "birthday"])
def _(r):
    year, _, month, day = ymd(r)
    return r.choice([f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{month}/{day}/{year}"])


@pii("passport", "generic", ["passport", "passport number", "passport_no", "Reisepass"])
def _(r):
    return r.choice([lambda: r.text("CFGHJKLMNPRTVWXYZ", 1) + r.text("CFGHJKLMNPRTVWXYZ0123456789", 8), lambda: digits(r, 9, "123456789"),
                     lambda: r.text("u", 2) + r.text("d", 7)])()


@pii("driving-licence", "generic", ["driving licence", "driver's license", "driver license number", "Führerschein"])
def _(r):
    return r.choice([lambda: r.text("u", 1) + r.text("d", 7), lambda: f"{r.choice(FAMILY).upper()[:5].ljust(5, '9')}{r.text('d', 6)}{r.text('u', 2)}9{r.text('u', 2)}",
                     lambda: r.text("u", 1) + r.text("U", 10)])()


@pii("bank-account", "generic", ["account number", "bank account", "acct no", "Kontonummer"])
def _(r):
    return digits(r, r.randint(8, 12), "123456789")


@pii("medical-record", "generic", ["MRN", "medical record number", "patient id"])
def _(r):
    return digits(r, 8, "123456789")


@pii("insurance-id", "generic", ["insurance id", "member id", "policy number", "Versichertennummer"])
def _(r):
    return r.text("u", 1) + r.text("d", 9)


@pii("phone-national", "generic", ["phone", "tel", "mobile", "call me at", "Telefon"])
def _(r):
    return r.choice([lambda: f"({r.choice(['212', '415', '646'])}) {r.randint(200, 999)}-{r.text('d', 4)}", lambda: f"020 7{r.text('d', 3)} {r.text('d', 4)}",
                     lambda: f"0{r.choice(['30', '89', '151', '176'])} {digits(r, 8, '23456789')}", lambda: f"06 {' '.join(r.text('d', 2) for _ in range(4))}"])()


# America ----------------------------------------------------------------------------------------------


@pii("us-ssn")
@until
def _(r):
    area, group, serial = r.randint(1, 899), r.randint(1, 99), r.randint(1, 9999)
    return None if area == 666 else f"{area:03}-{group:02}-{serial:04}"


@pii("us-ssn-undashed", "named", ["SSN", "social security number", "ssn"])
@until
def _(r):
    area, group, serial = r.randint(1, 899), r.randint(1, 99), r.randint(1, 9999)
    return None if area == 666 else f"{area:03}{group:02}{serial:04}"


@pii("us-itin", "named", ["ITIN", "taxpayer identification number"])
def _(r):
    return f"9{r.text('d', 2)}-{r.choice([51, 60, 72, 85, 90, 92, 95, 99])}-{r.text('d', 4)}"


@pii("us-mbi", "named", ["Medicare", "MBI", "medicare beneficiary identifier"])
def _(r):
    letters = "ACDEFGHJKMNPQRTUVWXY"
    c, a, n, an = (lambda: r.choice("123456789")), (lambda: r.choice(letters)), (lambda: r.text("d", 1)), (lambda: r.choice(letters + "0123456789"))
    text = c() + a() + an() + n() + a() + an() + n() + a() + a() + n() + n()
    return r.choice([text, f"{text[:4]}-{text[4:7]}-{text[7:]}"])


@pii("us-npi", "named", ["NPI", "national provider identifier"])
def _(r):
    body = r.choice("12") + r.text("d", 8)
    return body + luhn_digit("80840" + body)


@pii("us-dea", "named", ["DEA number", "DEA"])
def _(r):
    body = r.text("d", 6)
    check = (int(body[0]) + int(body[2]) + int(body[4]) + 2 * (int(body[1]) + int(body[3]) + int(body[5]))) % 10
    return r.choice("ABFM") + r.text("u", 1) + body + str(check)


@pii("us-aba", "named", ["routing number", "ABA", "routing_number"])
def _(r):
    body = r.choice(["01", "02", "03", "06", "11", "12", "26", "31"]) + r.text("d", 6)
    return body + str(-weighted(body, (3, 7, 1) * 3) % 10)


@pii("ca-sin", "named", ["SIN", "social insurance number"])
def _(r):
    body = digits(r, 8, "1234567")
    number = body + luhn_digit(body)
    return r.choice([number, grouped(number, (3, 3, 3), " "), grouped(number, (3, 3, 3), "-")])


def cpf(r):
    body = r.text("d", 9)
    for first in (10, 11):
        rest = weighted(body, range(first, 1, -1)) * 10 % 11
        body += str(rest % 10)
    return body


@pii("br-cpf")
def _(r):
    number = cpf(r)
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


@pii("br-cpf-undotted", "named", ["CPF", "cpf"])
def _(r):
    return cpf(r)


def cnpj(r):
    body = r.text("d", 8) + "0001"
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = weighted(body, weights) % 11
        body += str(0 if rest < 2 else 11 - rest)
    return body


@pii("br-cnpj")
def _(r):
    n = cnpj(r)
    return f"{n[:2]}.{n[2:5]}.{n[5:8]}/{n[8:12]}-{n[12:]}"


@pii("br-cnpj-undotted", "named", ["CNPJ", "cnpj"])
def _(r):
    return cnpj(r)


@pii("mx-curp")
def _(r):
    year, yy, mm, dd = ymd(r, 1950, 1999)
    consonants = "BCDFGHJKLMNPQRSTVWXYZ"
    body = (r.choice(consonants) + r.choice("AEIOU") + r.text(consonants, 2) + yy + mm + dd + r.choice("HM") + r.choice(["DF", "JC", "NL", "OC", "VZ"])
            + r.text(consonants, 3) + r.text("d", 1))
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - at) for at, c in enumerate(body))
    return body + str(-total % 10)


@pii("cl-rut", "named", ["RUT", "rut"])
def _(r):
    body = str(r.randint(5_000_000, 24_999_999))
    rest = 11 - sum(int(d) * (2 + at % 6) for at, d in enumerate(reversed(body))) % 11
    check = {11: "0", 10: "K"}.get(rest, str(rest))
    dotted = f"{int(body):,}".replace(",", ".")
    return r.choice([f"{dotted}-{check}", f"{body}-{check}"])


@pii("co-nit", "named", ["NIT", "nit"])
def _(r):
    body = digits(r, 9, "89")
    rest = sum(int(d) * w for d, w in zip(reversed(body), (3, 7, 13, 17, 19, 23, 29, 37, 41))) % 11
    return f"{body}-{rest if rest < 2 else 11 - rest}"


# Europe ------------------------------------------------------------------------------------------------


@pii("gb-nino", "named", ["NINO", "National Insurance number", "NI number"])
@until
def _(r):
    prefix = r.text("ABCEGHJKLMNOPRSTWXYZ", 1) + r.text("ABCEGHJKLMNPRSTWXYZ", 1)
    if prefix in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
        return None
    number = r.text("d", 6)
    return r.choice([f"{prefix}{number}{r.choice('ABCD')}", f"{prefix} {number[:2]} {number[2:4]} {number[4:]} {r.choice('ABCD')}"])


@pii("gb-nhs", "named", ["NHS", "NHS number", "nhs_number"])
@until
def _(r):
    body = digits(r, 9, "4679")
    check = 11 - weighted(body, range(10, 1, -1)) % 11
    if check == 10:
        return None
    number = body + str(check % 11)
    return r.choice([number, grouped(number, (3, 3, 4), " ")])


@pii("de-steuer-id", "named", ["Steuer-ID", "Steueridentifikationsnummer", "steuer_id", "IdNr"])
@until
def _(r):
    body = digits(r, 10, "123456789")
    counts = sorted((body.count(d) for d in set(body)), reverse=True)
    if counts[0] not in (2, 3) or counts[1] != 1:
        return None
    product = 10
    for digit in body:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    check = str((11 - product) % 10)
    number = body + check
    return r.choice([number, grouped(number, (2, 3, 3, 3), " ")])


def nir(r):
    year, yy, mm, dd = ymd(r)
    body = r.choice("12") + yy + mm + f"{r.randint(1, 95):02}" + f"{r.randint(1, 900):03}" + f"{r.randint(1, 999):03}"
    return body + f"{97 - int(body) % 97:02}"


@pii("fr-nir")
def _(r):
    return grouped(nir(r), (1, 2, 2, 2, 3, 3, 2), " ")


@pii("fr-nir-ungrouped", "named", ["NIR", "numéro de sécurité sociale", "sécu"])
def _(r):
    return nir(r)


@pii("es-dni")
def _(r):
    number = r.randint(10_000_000, 99_999_999)
    return f"{number}{r.choice(['', '-'])}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


@pii("es-nie")
def _(r):
    first, body = r.choice("XYZ"), r.text("d", 7)
    return f"{first}{body}{'TRWAGMYFPDXBNJZSQVHLCKE'[int(str('XYZ'.index(first)) + body) % 23]}"


@pii("it-codice-fiscale")
def _(r):
    odd = dict(zip("0123456789", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21))) | dict(
        zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)))
    year, yy, mm, dd = ymd(r)
    body = r.text("BCDFGLMNPRSTVZ", 6) + yy + r.choice("ABCDEHLMPRST") + dd + r.choice("ADFHL") + r.text("d", 3)
    total = sum(odd[c] if at % 2 == 0 else int(c, 36) - (10 if c.isalpha() else 0) for at, c in enumerate(body))
    return body + chr(65 + total % 26)


@pii("pt-nif", "named", ["NIF", "contribuinte"])
def _(r):
    body = digits(r, 8, "12")
    rest = weighted(body, range(9, 1, -1)) % 11
    return body + str(0 if rest < 2 else 11 - rest)


@pii("nl-bsn", "named", ["BSN", "burgerservicenummer"])
@until
def _(r):
    body = digits(r, 8, "123456789")
    check = weighted(body, range(9, 1, -1)) % 11
    return None if check == 10 else body + str(check)


@pii("be-nrn", "named", ["rijksregisternummer", "numéro national", "NRN"])
def _(r):
    year, yy, mm, dd = ymd(r)
    body = yy + mm + dd + f"{r.randint(1, 997):03}"
    check = 97 - int(("2" if year >= 2000 else "") + body) % 97
    number = f"{body}{check:02}"
    return r.choice([number, f"{yy}.{mm}.{dd}-{body[6:]}.{check:02}"])


@pii("pl-pesel", "named", ["PESEL", "pesel"])
def _(r):
    year, yy, mm, dd = ymd(r)
    body = yy + (f"{int(mm) + 20:02}" if year >= 2000 else mm) + dd + r.text("d", 4)
    return body + str(-weighted(body, (1, 3, 7, 9) * 3) % 10)


@pii("se-personnummer", "named", ["personnummer", "personal identity number"])
def _(r):
    year, yy, mm, dd = ymd(r)
    serial = f"{r.randint(1, 979):03}"
    number = serial + luhn_digit(yy + mm + dd + serial)
    return r.choice([f"{yy}{mm}{dd}-{number}", f"{year}{mm}{dd}-{number}", f"{year}{mm}{dd}{number}"])


@pii("no-fodselsnummer", "named", ["fødselsnummer", "fodselsnummer"])
@until
def _(r):
    year, yy, mm, dd = ymd(r, 1945, 1999)
    body = dd + mm + yy + f"{r.randint(0, 499):03}"
    first = -weighted(body, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -weighted(body + str(first), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if 10 in (first, second) else f"{body}{first}{second}"


@pii("dk-cpr", "named", ["CPR", "cpr-nummer", "CPR number"])
@until
def _(r):
    year, yy, mm, dd = ymd(r, 1945, 1999)
    body = dd + mm + yy + f"{r.randint(0, 399):03}"
    check = -weighted(body, (4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if check == 10 else f"{body[:6]}-{body[6:]}{check}"


@pii("fi-hetu")
def _(r):
    year, yy, mm, dd = ymd(r)
    number = f"{r.randint(2, 899):03}"
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(dd + mm + yy + number) % 31]
    return f"{dd}{mm}{yy}{'A' if year >= 2000 else '-'}{number}{check}"


@pii("ch-ahv")
def _(r):
    body = "756" + r.text("d", 9)
    check = -sum(int(d) * (1 if at % 2 == 0 else 3) for at, d in enumerate(body)) % 10
    number = f"{body}{check}"
    return f"{number[:3]}.{number[3:7]}.{number[7:11]}.{number[11:]}"


@pii("at-svnr", "named", ["SVNR", "Sozialversicherungsnummer"])
@until
def _(r):
    year, yy, mm, dd = ymd(r)
    serial = str(r.randint(100, 999))
    check = (weighted(serial, (3, 7, 9)) + weighted(dd + mm + yy, (5, 8, 4, 2, 1, 6))) % 11
    return None if check == 10 else r.choice([f"{serial}{check}{dd}{mm}{yy}", f"{serial}{check} {dd}{mm}{yy}"])


def rodne_cislo(r):
    year, yy, mm, dd = ymd(r, 1955, 2003)
    month = int(mm) + r.choice([0, 50])
    body = int(f"{yy}{month:02}{dd}{r.randint(0, 999):03}")
    check = body % 11
    if check == 10:
        return None
    number = f"{body:09}{check}"
    return r.choice([number, f"{number[:6]}/{number[6:]}"])


pii("cz-rodne-cislo", "named", ["rodné číslo", "RČ", "rodne cislo"])(until(rodne_cislo))
pii("sk-rodne-cislo", "named", ["rodné číslo", "rodne_cislo"])(until(rodne_cislo))


@pii("ro-cnp", "named", ["CNP", "cod numeric personal"])
def _(r):
    year, yy, mm, dd = ymd(r)
    body = r.choice("12" if year < 2000 else "56") + yy + mm + dd + f"{r.randint(1, 46):02}" + f"{r.randint(1, 999):03}"
    check = weighted(body, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return body + str(1 if check == 10 else check)


@pii("bg-egn", "named", ["ЕГН", "EGN"])
def _(r):
    year, yy, mm, dd = ymd(r)
    body = yy + (f"{int(mm) + 40:02}" if year >= 2000 else mm) + dd + r.text("d", 3)
    return body + str(weighted(body, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10)


@pii("gr-amka", "named", ["AMKA", "ΑΜΚΑ"])
def _(r):
    year, yy, mm, dd = ymd(r)
    body = dd + mm + yy + r.text("d", 4)
    return body + luhn_digit(body)


@pii("ie-pps", "named", ["PPS", "PPSN", "PPS number"])
def _(r):
    body = digits(r, 7, "123456789")
    return body + "WABCDEFGHIJKLMNOPQRSTUV"[weighted(body, range(8, 1, -1)) % 23]


@pii("tr-tckn", "named", ["TCKN", "T.C. Kimlik No", "kimlik no"])
def _(r):
    body = digits(r, 9, "123456789")
    odd, even = sum(map(int, body[0::2])), sum(map(int, body[1::2]))
    tenth = (odd * 7 - even) % 10
    return f"{body}{tenth}{(odd + even + tenth) % 10}"


# Asia, Africa, Oceania --------------------------------------------------------------------------------


def aadhaar(r):
    body = digits(r, 11, "23456789")
    return body + verhoeff_digit(body)


@pii("in-aadhaar")
def _(r):
    return grouped(aadhaar(r), (4, 4, 4), " ")


@pii("in-aadhaar-ungrouped", "named", ["Aadhaar", "aadhaar_number"])
def _(r):
    return aadhaar(r)


@pii("in-pan", "named", ["PAN", "permanent account number"])
def _(r):
    return r.text("u", 3) + r.choice("PCHFATBLJG") + r.text("u", 1) + r.text("d", 4) + r.text("u", 1)


@pii("au-tfn", "named", ["TFN", "tax file number"])
@until
def _(r):
    body = digits(r, 8, "123456789")
    for check in "0123456789":
        if weighted(body + check, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0:
            return r.choice([body + check, grouped(body + check, (3, 3, 3), " ")])
    return None


@pii("au-medicare", "named", ["Medicare", "medicare card number"])
def _(r):
    body = digits(r, 8, "23456")
    number = body + str(weighted(body, (1, 3, 7, 9, 1, 3, 7, 9)) % 10) + r.choice("123")
    return r.choice([number, grouped(number, (4, 5, 1), " ")])


@pii("au-abn", "named", ["ABN", "Australian Business Number"])
@until
def _(r):
    body = r.text("d", 9)
    for first in range(11, 100):
        number = f"{first}{body}"
        if weighted(str(int(number[0]) - 1) + number[1:], (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) % 89 == 0:
            return r.choice([number, grouped(number, (2, 3, 3, 3), " ")])
    return None


@pii("za-id", "named", ["SA ID", "identity number", "RSA ID number"])
def _(r):
    year, yy, mm, dd = ymd(r)
    body = yy + mm + dd + r.text("d", 4) + "08"
    return body + luhn_digit(body)


@pii("kr-rrn")
def _(r):
    year, yy, mm, dd = ymd(r)
    body = yy + mm + dd + r.choice("12" if year < 2000 else "34") + r.text("d", 5)
    check = (11 - weighted(body, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return f"{body[:6]}-{body[6:]}{check}"


@pii("cn-id")
def _(r):
    year, yy, mm, dd = ymd(r)
    body = r.choice(["110105", "310104", "440106", "510107", "320102"]) + f"{year}{mm}{dd}" + f"{r.randint(1, 999):03}"
    return body + "10X98765432"[weighted(body, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11]


@pii("jp-my-number", "named", ["My Number", "マイナンバー", "個人番号"])
def _(r):
    body = r.text("d", 11)
    rest = sum(int(d) * (at + 1 if at <= 6 else at - 5) for at, d in enumerate(reversed(body), 1)) % 11
    number = body + str(0 if rest <= 1 else 11 - rest)
    return r.choice([number, grouped(number, (4, 4, 4), " ")])


@pii("sg-nric")
def _(r):
    first, body = r.choice("STFG"), r.text("d", 7)
    total = weighted(body, (2, 7, 6, 5, 4, 3, 2)) + (4 if first in "TG" else 0)
    return first + body + ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[total % 11]


@pii("th-id", "named", ["Thai ID", "เลขประจำตัวประชาชน", "national id"])
def _(r):
    body = digits(r, 12, "12345678")
    number = body + str((11 - weighted(body, range(13, 1, -1)) % 11) % 10)
    return r.choice([number, f"{number[0]}-{number[1:5]}-{number[5:10]}-{number[10:12]}-{number[12]}"])


@pii("tw-id", "named", ["身分證字號", "Taiwan ID", "national id"])
def _(r):
    letter, body = r.choice("ABCDEFGHJKLMNPQRSTUVXYWZIO"), r.choice("12") + r.text("d", 7)
    number = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter)
    total = number // 10 + number % 10 * 9 + weighted(body, (8, 7, 6, 5, 4, 3, 2, 1))
    return letter + body + str(-total % 10)


assert len({kind.name for kind in KINDS}) == len(KINDS)

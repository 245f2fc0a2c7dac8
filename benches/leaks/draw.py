"""Random text of a given shape, and the checksums that real values have.

Everything is drawn from a seed, so that a corpus can be made again, and nothing that looks like a credential
has to stand in a source.
"""

import base64
import hashlib
import random
import re
import string
import zlib

ALPHABETS = {
    "d": string.digits,
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "x": "0123456789abcdefABCDEF",
    "a": string.digits + string.ascii_letters,
    "A": string.ascii_letters,
    "w": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
    "L": string.digits + string.ascii_lowercase,
    "U": string.digits + string.ascii_uppercase,
    "l": string.ascii_lowercase,
    "u": string.ascii_uppercase,
    "q": string.ascii_uppercase + "234567",
    "z": string.ascii_lowercase + "234567",
    "k": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
    "v": string.ascii_letters + string.digits + "_~.-",
    "p": string.ascii_letters + string.digits + "!#%*+=?@_~",
    "s": string.ascii_letters + string.digits + "_=.-",
}
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
FIELD = re.compile(r"<([a-zA-Z])(\d+)(?:-(\d+))?>|<(uuid)>")


class Draw(random.Random):
    """A source of values. Equal names give equal values."""

    def __init__(self, *name):
        super().__init__("/".join(map(str, name)))

    def text(self, alphabet, length):
        return "".join(self.choices(ALPHABETS.get(alphabet, alphabet), k=length))

    def uuid(self):
        h = self.text("h", 32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{self.choice('89ab')}{h[17:20]}-{h[20:]}"

    def fill(self, form):
        """`<a30>` is 30 characters of an alphabet, `<w20-40>` from 20 to 40, `<uuid>` is one."""

        def one(field):
            letter, least, most, uuid = field.groups()
            if uuid:
                return self.uuid()
            return self.mixed(letter, self.randint(int(least), int(most or least)))

        return FIELD.sub(one, form)

    def mixed(self, letter, length):
        """Text of an alphabet that does not happen to be a word or a number where it is long enough not to be."""
        for _ in range(64):
            text = self.text(letter, length)
            alphabet = ALPHABETS[letter]
            wants_digit = length >= 10 and any(c.isdigit() for c in alphabet)
            wants_letter = length >= 10 and any(c.isalpha() for c in alphabet)
            if wants_digit and not any(c.isdigit() for c in text):
                continue
            if wants_letter and not any(c.isalpha() for c in text):
                continue
            if text[0] in "-_" or text[-1] in "-_.":
                continue
            return text
        return text

    def bytes(self, length):
        return self.randbytes(length)

    def b64(self, length):
        return base64.b64encode(self.bytes(length)).decode()

    def b64url(self, length):
        return base64.urlsafe_b64encode(self.bytes(length)).decode().rstrip("=")

    def date(self, first=1945, last=2006):
        return self.randint(first, last), self.randint(1, 12), self.randint(1, 28)


def base36(number, width):
    digits = string.digits + string.ascii_lowercase
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text.rjust(width, "0")


def crc_base62(body):
    number = zlib.crc32(body.encode())
    text = ""
    while number:
        number, rest = divmod(number, 62)
        text = BASE62[rest] + text
    return text.rjust(6, "0")


def luhn_digit(digits):
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def weighted(digits, weights):
    return sum(int(digit) * weight for digit, weight in zip(digits, weights))


VERHOEFF_D = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
              [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
              [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
              [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]
VERHOEFF_P = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    VERHOEFF_P.append([VERHOEFF_P[-1][VERHOEFF_P[1][i]] for i in range(10)])


def verhoeff_digit(digits):
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = VERHOEFF_D[check][VERHOEFF_P[(place + 1) % 8][int(digit)]]
    return str(VERHOEFF_D[check].index(0))


def mod97(text):
    return int("".join(str(int(c, 36)) for c in text)) % 97


BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(prefix, data, constant=1):
    """BIP 173 (constant 1) and 350 (bech32m)."""

    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> bit & 1 else 0
        return check

    head = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(head + data + [0] * 6) ^ constant
    return prefix + "1" + "".join(BECH32[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def five_bits(data):
    number, bits, out = 0, 0, []
    for byte in data:
        number, bits = number << 8 | byte, bits + 8
        while bits >= 5:
            bits -= 5
            out.append(number >> bits & 31)
    if bits:
        out.append(number << 5 - bits & 31)
    return out


def base58check(payload):
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABETS["k"][rest] + text
    zeros = len(payload) - len(payload.lstrip(b"\0"))
    return "1" * zeros + text


def keccak256(data):
    """Of Ethereum: SHA-3 before its padding was changed, which is why hashlib has it not."""
    mask = (1 << 64) - 1

    def rotate(value, by):
        return (value << by | value >> 64 - by) & mask if by else value

    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            if register & 1:
                constant |= 1 << (1 << bit) - 1
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    block = bytearray(data + b"\1" + bytes(135 - len(data) % 136))
    block[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(block), 136):
        for at in range(17):
            x, y = at % 5, at // 5
            lanes[x][y] ^= int.from_bytes(block[start + 8 * at:start + 8 * at + 8], "little")
        for constant in constants:
            parity = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
            for x in range(5):
                d = parity[x - 1] ^ rotate(parity[(x + 1) % 5], 1)
                for y in range(5):
                    lanes[x][y] ^= d
            x, y, current = 1, 0, lanes[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, lanes[x][y] = lanes[x][y], rotate(current, (step + 1) * (step + 2) // 2 % 64)
            for y in range(5):
                row = [lanes[x][y] for x in range(5)]
                for x in range(5):
                    lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
            lanes[0][0] ^= constant
    return b"".join(lanes[at % 5][at // 5].to_bytes(8, "little") for at in range(4))

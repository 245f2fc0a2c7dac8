"""Text that remembers where what was planted in it stands, through every encoding."""

import base64
import json
from urllib.parse import quote


class Traced:
    """Pieces of text; those that were planted are marked."""

    def __init__(self, *pieces):
        self.pieces = []
        for piece in pieces:
            self.add(piece)

    def add(self, piece):
        if isinstance(piece, Traced):
            self.pieces.extend(piece.pieces)
        elif isinstance(piece, str):
            piece and self.pieces.append((piece, False))
        else:
            self.pieces.append(piece)
        return self

    def __str__(self):
        return "".join(text for text, _ in self.pieces)

    def map(self, function):
        """The same, each piece through a function that works character by character."""
        return Traced(*((function(text), planted) for text, planted in self.pieces))

    def cut(self, sizes):
        """The same in pieces of so many characters."""
        out, current, left = [], Traced(), next(sizes)
        for text, planted in self.pieces:
            while text:
                head, text = text[:left], text[left:]
                current.add((head, planted))
                left -= len(head)
                if left == 0:
                    out.append(current)
                    current, left = Traced(), next(sizes)
        if current.pieces:
            out.append(current)
        return out

    def base64(self, url=False, wrap=0):
        encode = base64.urlsafe_b64encode if url else base64.b64encode
        marks, length = [], 0
        for text, planted in self.pieces:
            size = len(text.encode())
            if planted:
                marks.append((length // 3 * 4, -(-(length + size) // 3) * 4))
            length += size
        encoded = encode(str(self).encode()).decode()
        if url:
            encoded = encoded.rstrip("=")
        out, at = Traced(), 0
        for start, end in marks:
            out.add(encoded[at:start]).add((encoded[max(at, start):end], True))
            at = max(at, end)
        out.add(encoded[at:])
        if not wrap:
            return out
        lines = out.cut(iter(lambda: wrap, None))
        joined = Traced()
        for line in lines:
            joined.add(line).add("\n")
        return joined

    def to_bytes(self):
        """The bytes, and from where to where the plants reach, the first to the last."""
        out, start, end = bytearray(), None, None
        for text, planted in self.pieces:
            data = text.encode("utf-8", "surrogatepass")
            if planted:
                start = len(out) if start is None else start
                end = len(out) + len(data)
            out += data
        return bytes(out), (start, end)


def escaped(text):
    """As it stands inside a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def escaped_all(text):
    return "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1] for c in text)


def percent(text):
    return quote(text, safe="")


def percent_all(text):
    """As an encoder that trusts no character: letters and digits as well."""
    return "".join(f"%{byte:02X}" for byte in text.encode())

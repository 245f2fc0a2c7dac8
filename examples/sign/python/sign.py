#!/usr/bin/env python3
"""Sends an HTTP request that is signed as RFC 9421 has it, with a digest of its content (RFC 9530).

usage: sign.py --key FILE --keyid NAME [-X METHOD] [-H "Name: value"] [-d CONTENT] URL

The key is a private key in PEM (Ed25519, P-256, P-384, RSA) or, with --shared, the bytes of a shared key. Needs Python
3.10 and `cryptography`. `signed_headers` is all that another program has to take over.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import pathlib
import secrets
import sys
import time
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

# Fields that are covered where the request has them.
COVERED = ("content-type", "content-digest", "authorization", "x-customer-id")


def signed_headers(method, url, headers, body, key, keyid, tag="lictor", lifetime=60):
    """The headers (lower-case names, one value each) with those that make it a signed request.

    `key` is a private key of `cryptography`, or the bytes of a shared key.
    """
    headers = {name.lower(): value.strip() for name, value in headers.items()}
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers["content-digest"] = f"sha-256=:{digest}:"
    target = urlsplit(url)
    # Lower case, and without the port that the scheme has anyway (section 2.2.3).
    authority = target.netloc.rpartition("@")[2].lower()
    authority = authority.removesuffix({"https": ":443", "http": ":80"}[target.scheme])
    values = {
        "@method": method,
        "@authority": authority,
        "@path": target.path or "/",
        "@query": "?" + target.query,
    }
    values |= {name: headers[name] for name in COVERED if name in headers}

    created = int(time.time())
    parameters = "({});created={};expires={};nonce={};keyid={};tag={}".format(
        " ".join(f'"{name}"' for name in values),
        created,
        created + lifetime,
        quoted(secrets.token_urlsafe(16)),
        quoted(keyid),
        quoted(tag),
    )
    lines = [f'"{name}": {value}' for name, value in values.items()]
    lines.append(f'"@signature-params": {parameters}')
    signature = base64.b64encode(sign("\n".join(lines).encode("ascii"), key)).decode()
    headers["signature-input"] = f"sig1={parameters}"
    headers["signature"] = f"sig1=:{signature}:"
    return headers


def sign(base, key):
    """The signature of a base. The key decides the algorithm (section 3.3)."""
    if isinstance(key, bytes):
        return hmac.digest(key, base, "sha256")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(base)
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
        return key.sign(base, pss, hashes.SHA512())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        hashed = {32: hashes.SHA256, 48: hashes.SHA384}[size]()
        # r and s side by side, not DER.
        r, s = decode_dss_signature(key.sign(base, ec.ECDSA(hashed)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    raise ValueError(f"no algorithm for {type(key).__name__}")


def quoted(text):
    """A string of RFC 9651, section 3.3.3."""
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"{text!r} cannot stand in a signature")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    parser = argparse.ArgumentParser(description="Sends a signed HTTP request.")
    parser.add_argument("--key", type=pathlib.Path, required=True, help="a file with the key")
    parser.add_argument("--shared", action="store_true", help="the file is a shared key, without its last line end")
    parser.add_argument("--keyid", required=True, help="what the key is called where it is verified")
    parser.add_argument("--tag", default="lictor")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[], metavar="'Name: value'")
    parser.add_argument("-d", dest="content", default="")
    parser.add_argument("url")
    arguments = parser.parse_args()

    key = arguments.key.read_bytes()
    key = key.removesuffix(b"\n").removesuffix(b"\r") if arguments.shared else load_pem_private_key(key, None)
    body = arguments.content.encode()
    method = arguments.method or ("POST" if body else "GET")
    headers = dict(line.split(":", 1) for line in arguments.headers)
    headers = signed_headers(method, arguments.url, headers, body, key, arguments.keyid, arguments.tag)

    url = urlsplit(arguments.url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=30)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.request(method, target, body or None, headers)
    answer = connection.getresponse()
    print(answer.status)
    print(answer.read().decode(errors="replace"))
    return 0 if answer.status < 400 else 1


if __name__ == "__main__":
    sys.exit(main())

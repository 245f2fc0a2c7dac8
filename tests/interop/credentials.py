"""Makes what one run needs to be believed: a CA, a server certificate, a JWKS and tokens.

usage: credentials.py DIRECTORY ISSUER AUDIENCE

Everything is fresh for each run and lives as long as the run; nothing of it stands in the sources.
"""

import datetime
import ipaddress
import json
import pathlib
import sys

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
LIFETIME = datetime.timedelta(hours=1)

# Who calls: name -> claims. Mallory is alice's namesake with keys of her own making.
CALLERS = {
    "alice": {"sub": "alice@acme", "org_id": "acme", "groups": ["analysts"]},
    "anton": {"sub": "anton@acme", "org_id": "acme", "groups": ["interns"]},
    "bob": {"sub": "bob@globex", "org_id": "globex", "groups": ["analysts"]},
}


def main(directory: pathlib.Path, issuer: str, audience: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    certificates(directory)
    key, forged = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    public |= {"kid": "k1", "use": "sig", "alg": "ES256"}
    (directory / "jwks.json").write_text(json.dumps({"keys": [public]}))
    tokens = {
        name: token(key, claims, issuer, audience) for name, claims in CALLERS.items()
    }
    tokens["mallory"] = token(forged, CALLERS["alice"], issuer, audience)
    tokens["late"] = token(key, CALLERS["alice"], issuer, audience, age=2 * LIFETIME)
    (directory / "tokens.json").write_text(json.dumps(tokens))


def token(key, claims, issuer, audience, age=datetime.timedelta()) -> str:
    issued = NOW - age
    claims = claims | {"iss": issuer, "aud": audience, "iat": issued, "exp": issued + LIFETIME}
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k1"})


def certificates(directory: pathlib.Path) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interop test CA")])
    ca = (
        builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    leaf = (
        builder(name, ca_name, key)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    (directory / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (directory / "server.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    key_file = directory / "server.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def builder(subject, issuer, key) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(minutes=5))
        .not_valid_after(NOW + LIFETIME)
    )


def key_usage(**granted) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment "
        "key_agreement key_cert_sign crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3])

"""What looks like a leak and is none: at least as hard as what agents write all day.

Each function gives one piece of a text; pieces are put together until there is enough of each.
"""

import json

from surroundings import SENTENCES


def identifiers(r):
    return json.dumps({"id": r.uuid(), "parent": r.uuid(), "request_id": r.text("h", 32), "etag": f'W/"{r.text("h", 16)}"', "cursor": r.uuid()}) + "\n"


def git_log(r):
    return (f"commit {r.text('h', 40)}\nAuthor: Build Bot\nDate:   Fri Nov 20 10:1{r.randint(0, 9)}:07 2026 +0100\n\n    {r.choice(SENTENCES)}\n\n"
            f"diff --git a/src/a.rs b/src/a.rs\nindex {r.text('h', 10)}..{r.text('h', 10)} 100644\n")


def sums(r):
    return f"{r.text('h', 64)}  release/{r.text('l', 8)}-{r.randint(1, 9)}.{r.randint(0, 30)}.tar.gz\n{r.text('h', 32)} *{r.text('l', 6)}.iso\n"


def package_lock(r):
    name = r.text("l", 7)
    return (f'    "node_modules/@{r.text("l", 5)}/{name}": {{\n      "version": "{r.randint(0, 20)}.{r.randint(0, 40)}.{r.randint(0, 9)}",\n'
            f'      "resolved": "https://registry.npmjs.org/{name}/-/{name}-1.2.3.tgz",\n      "integrity": "sha512-{r.b64(64)}",\n      "license": "MIT"\n    }},\n')


def cargo_lock(r):
    return (f'[[package]]\nname = "{r.text("l", 6)}-{r.text("l", 4)}"\nversion = "{r.randint(0, 3)}.{r.randint(0, 90)}.{r.randint(0, 9)}"\n'
            f'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "{r.text("h", 64)}"\n\n')


def go_sum(r):
    name = f"github.com/{r.text('l', 6)}/{r.text('l', 8)} v0.{r.randint(0, 40)}.{r.randint(0, 9)}"
    return f"{name} h1:{r.b64(32)}\n{name}/go.mod h1:{r.b64(32)}\n"


def python_lock(r):
    return f'    {{file = "{r.text("l", 7)}-1.{r.randint(0, 9)}-py3-none-any.whl", hash = "sha256:{r.text("h", 64)}"}},\n'


def yarn_lock(r):
    name = r.text("l", 8)
    return (f'"@{r.text("l", 4)}/{name}@npm:^{r.randint(1, 9)}.0.0":\n  version: {r.randint(1, 9)}.{r.randint(0, 9)}.0\n  resolution: "@{r.text("l", 4)}/{name}@npm:1.0.0"\n'
            f'  checksum: 10c0/{r.text("h", 128)}\n  languageName: node\n  linkType: hard\n\n')


def image(r):
    return f'<img alt="chart {r.randint(1, 99)}" src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA{r.b64(r.randint(900, 6000))}">\n'


def image_json(r):
    return json.dumps({"type": "image", "mimeType": "image/jpeg", "data": "/9j/4AAQSkZJRgABAQ" + r.b64(r.randint(900, 6000))}) + "\n"


def wrapped_base64(r):
    body = r.b64(1800)
    return "Content-Transfer-Encoding: base64\n\n" + "".join(body[at:at + 76] + "\n" for at in range(0, len(body), 76)) + "\n"


def minified(r):
    names = [r.text("l", 2) for _ in range(8)]
    body = "".join(f"function {a}(t,e){{var n={r.randint(1, 999)};return e&&(t.{b}=e.{a}||\"{r.text('l', 5)}\"),t.map(function({c}){{return {c}.{b}*n+{r.random():.6f}}})}}"
                   for a, b, c in ((r.choice(names), r.choice(names), r.choice("abcd")) for _ in range(6)))
    return f"!function(t,e){{\"use strict\";{body}var k=\"{r.text('a', 6)}\",token=function(t){{return t.token||t.key}},password=t.password;}}(this,document);\n"


def source_map(r):
    vlq = ";".join(",".join(r.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij", r.choice([4, 5, 8])) for _ in range(r.randint(2, 14))) for _ in range(40))
    return json.dumps({"version": 3, "sources": [f"webpack://app/./src/{r.text('l', 6)}.ts"], "mappings": vlq, "file": f"main.{r.text('h', 20)}.js"}) + "\n"


def orders(r):
    return (f"Order 2026-{r.text('d', 4)}-{r.text('d', 5)} (ref {r.text('d', 8)}), invoice INV-{r.text('d', 6)}, customer no. {r.text('d', 7)}, SKU {r.text('u', 3)}-"
            f"{r.text('d', 4)}-{r.text('u', 2)}, batch {r.text('U', 8)}, ticket #{r.randint(10000, 99999)}\n")


def books(r):
    body = r.choice(["978", "979"]) + r.text("d", 9)
    check = -sum(int(d) * (1 if at % 2 == 0 else 3) for at, d in enumerate(body)) % 10
    ten = r.text("d", 9)
    last = sum(int(d) * (at + 1) for at, d in enumerate(ten)) % 11
    return (f"ISBN {body[:3]}-{body[3]}-{body[4:8]}-{body[8:]}-{check}, also {body}{check}; old {ten[0]}-{ten[1:5]}-{ten[5:]}-{'X' if last == 10 else last}; "
            f"EAN 40{r.text('d', 11)}; DOI 10.{r.randint(1000, 9999)}/{r.text('l', 6)}.{r.text('d', 7)}; ISSN {r.text('d', 4)}-{r.text('d', 4)}\n")


def times(r):
    seconds = 1795000000 + r.randint(0, 10 ** 6)
    return (f"{seconds} {seconds}{r.text('d', 3)} {seconds}{r.text('d', 6)} {seconds}{r.text('d', 9)} {seconds}.{r.text('d', 6)} "
            f"2026-11-{r.randint(10, 28)}T10:15:{r.randint(10, 59)}.{r.text('d', 6)}Z 20261120{r.text('012', 2)}1507 2026-11-20 10:15:07.{r.text('d', 9)} +0100 CET\n")


def snowflakes(r):
    return (f'{{"id":"1{r.text("d", 18)}","author_id":"1{r.text("d", 17)}","campaign":120{r.text("d", 14)},"row":{r.randint(10 ** 9, 10 ** 10)},'
            f'"bytes":{r.randint(10 ** 8, 10 ** 12)}}}\n')


def parcels(r):
    return f"UPS 1Z{r.text('U', 6)}{r.text('d', 10)}, FedEx {r.text('d', 12)}, USPS 9400 1{r.text('d', 3)} {r.text('d', 4)} {r.text('d', 4)} {r.text('d', 4)} {r.text('d', 2)}, DHL {r.text('d', 10)}, JJD00{r.text('d', 15)}\n"


def decimals(r):
    return ",".join(f"{r.uniform(-180, 180):.{r.choice([6, 12, 15])}f}" for _ in range(12)) + f",{r.random():.17e}\n"


def vectors(r):
    return json.dumps({"embedding": [round(r.gauss(0, 0.05), 17) for _ in range(64)], "index": r.randint(0, 99)}) + "\n"


def hex_dump(r):
    data = r.bytes(16)
    h = data.hex()
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{r.randint(0, 1 << 24) & ~15:08x}: {' '.join(h[at:at + 4] for at in range(0, 32, 4))}  {text}\n"


TALK = """Never paste a password into a chat; use the vault and share a link to the entry.
The token is refreshed five minutes before it expires, so a clock that is wrong by more than that breaks the login.
An API key identifies the project, a bearer token the user, and a client secret the application itself.
If the password is wrong three times the account is locked for an hour.
The secret: there is no secret, only a good index.
Passwords must have twelve characters or more, and a passphrase of four words is better than Tr0ub4dor.
Set the environment variable API_KEY before you start the service, and do not commit it.
Each request costs about 1,200 tokens; max_tokens=4096 cuts the answer off, and the tokenizer is cl100k_base.
Bearer tokens are described in RFC 6750, JWTs in RFC 7519 and DPoP in RFC 9449.
The private key never leaves the module; only the public key is printed.
Rotate credentials every 90 days: first add the new key, then deploy, then remove the old key.
Your password is at least as strong as the e-mail account that can reset it.
The authorization header is missing; add "Authorization: Bearer" followed by the token.
My passport is in the drawer, my driving licence was renewed and my account number has not changed.
The SSN field is optional, the date of birth is not, and the phone number is checked by a code.
Please send us your IBAN, your tax ID and a copy of your passport by post, not by e-mail.
Secret Service, secret santa, secret sauce: the word secret occurs 14 times in this document.
The patient ID is assigned at admission; the medical record number stays the same for life.
auth: ok, session: active, token: valid, password: correct, key: found, secret: known, credential: accepted""".splitlines()


def talk(r):
    return " ".join(r.sample(TALK, 4)) + "\n\n"


def placeholders(r):
    x = "x" * r.choice([8, 16, 20, 32, 40])
    stars = "*" * r.randint(6, 20)
    return r.choice([
        "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7" + "EXAMPLE\nAWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY\n",
        f"OPENAI_API_KEY=sk-{x}\nANTHROPIC_API_KEY=sk-ant-api03-{x}\nGITHUB_TOKEN=ghp_{x}\n",
        "api_key: your-api-key-here\ntoken: <your token>\npassword: <password>\nsecret: ${SECRET}\nclient_secret: {{ client_secret }}\n",
        "API_KEY=YOUR_API_KEY\nTOKEN=REPLACE_ME\nSECRET_KEY=change-me-in-production\nDB_PASSWORD=changeme\n",
        f"password: {stars}\ntoken: [REDACTED]\napi_key=...\nsecret=TODO\nprivate_key: (hidden)\n",
        "Authorization: Bearer <token>\nAuthorization: Bearer $TOKEN\nAuthorization: Bearer YOUR_ACCESS_TOKEN\nAuthorization: Basic <credentials>\n",
        "DATABASE_URL=postgres://user:password@localhost:5432/app\nREDIS_URL=redis://:${REDIS_PASSWORD}@cache:6379\nMYSQL=mysql://<user>:<password>@host/db\n",
        "curl -H 'X-Api-Key: $API_KEY' -u \"$USER:$PASSWORD\" https://api.example.com/v1\n",
        f"stripe.api_key = 'sk_test_{x}'\nslack: xoxb-your-token-here\nSENDGRID=SG.{x}.{x}\n",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        "Write to jane.doe@example.com or ops@example.org; the sender is noreply@example.net.\n",
        "Use the test card 4242 4242 4242 4242? No: ask for a sandbox of your own.\n".replace("4242 4242 4242 4242", "XXXX XXXX XXXX XXXX"),
        "IBAN: DE00 0000 0000 0000 0000 00, SSN: 000-00-0000, phone: +1 555 0100, card: **** **** **** 1234\n",
    ])


CODE = """password = os.environ["DB_PASSWORD"]
token: ${{ secrets.GITHUB_TOKEN }}
apiKey: process.env.API_KEY,
const password = config.get("database.password");
def login(username: str, password: str, token: Optional[str] = None) -> Session:
password_hash = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
if token_type != "access_token" or not token.startswith("Bearer "):
secretName: billing-tls-certificates
secretKeyRef: { name: billing, key: password }
max_tokens: 4096
token_count=1532 tokens_per_second=87.31
"password": "Passwort",
"passwordConfirmation": "Bitte wiederholen Sie das Passwort",
"forgot_password": "Mot de passe oublié ?",
<input type="password" name="password" placeholder="Password" autocomplete="current-password">
private static final String PASSWORD_PROPERTY = "spring.datasource.password";
type Token struct { Kind TokenKind; Text string; Pos int }
password: Optional[SecretStr] = Field(default=None, alias="dbPassword")
api_key = getpass.getpass("API key: ")
let secret = std::env::var("CLIENT_SECRET").expect("CLIENT_SECRET");
export TOKEN=$(vault kv get -field=token secret/ci)
token := r.Header.Get("Authorization")
key: ${{ runner.os }}-cargo-${{ hashFiles('**/Cargo.lock') }}
private_key_path: /etc/ssl/private/server.pem
password_file=/run/secrets/db_password
auth = HTTPBasicAuth(username, password)
authenticationProvider = "com.acme.security.LdapAuthenticationProvider"
tokenEndpoint: https://idp.example.com/oauth2/token
csrf_token: {{ csrf_token() }}
credentials: include,
api_key: "{{ lookup('env', 'API_KEY') }}"
"access_token": null, "refresh_token": "", "token_type": "bearer",
PASSWORD_MIN_LENGTH = 12
password.length >= MIN_PASSWORD_LENGTH && validatePassword(password)
SECRET_SCANNING_ENABLED=true
secret_id = aws_secretsmanager_secret.billing.id
public_key_token="b77a5c561934e089"
passwordEncoder = new BCryptPasswordEncoder(12)
keyboard: qwerty, keyframes: fadeInAndOutQuickly, monkey: patched, tokenizer: sentencepiece-unigram
auth_method: kubernetes
credential_source: workload-identity-federation
primary_key = "customer_id, order_date"
sort_key: created_at_descending
passwordPolicy: requireUppercaseAndDigits
""".splitlines()


def code(r):
    return "".join(" " * r.choice([0, 2, 4, 8]) + line + "\n" for line in r.sample(CODE, 8))


def public_keys(r):
    dashes = "-" * 5
    body = r.b64(r.choice([294, 900]))
    label = r.choice(["PUBLIC KEY", "CERTIFICATE", "RSA PUBLIC KEY", "CERTIFICATE REQUEST", "PGP SIGNATURE"])
    lines = "\n".join(body[at:at + 64] for at in range(0, len(body), 64))
    return (f"{dashes}BEGIN {label}{dashes}\n{lines}\n{dashes}END {label}{dashes}\nssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB{r.b64(240)} deploy@build\n"
            f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{r.text('b', 43)} ops\nSHA256:{r.b64(32).rstrip('=')} (ED25519)\n")


def public_ids(r):
    """Identifiers that are public by their makers' word."""
    return (f"publishableKey: pk_live_{r.mixed('a', 24)}\nposthog: phc_{r.mixed('a', 43)}\nlangfuse public: pk-lf-{r.uuid()}\n"
            f"dsn: https://{r.text('h', 32)}@o{r.text('d', 6)}.ingest.sentry.io/{r.text('d', 7)}\nrole: AROA{r.text('q', 16)}\n"
            f"arn:aws:iam::{r.text('d', 12)}:role/agent\nclient_id: {r.uuid()}\naccount sid: AC{r.text('h', 32)}\n")


def at_signs(r):
    v = f"{r.randint(0, 20)}.{r.randint(0, 30)}.{r.randint(0, 9)}"
    return r.choice([
        f"npm i @{r.text('l', 5)}/{r.text('l', 7)}@{v} {r.text('l', 6)}@^{v} lodash@latest\n",
        f"git clone git@github.com:acme/{r.text('l', 6)}.git && ssh deploy@build-{r.randint(1, 9)}\n",
        f"FROM ghcr.io/acme/{r.text('l', 6)}@sha256:{r.text('h', 64)}\n",
        f"systemctl status getty@tty{r.randint(1, 6)}.service user@1000.service\n",
        f"<img src=\"logo@2x.png\" srcset=\"hero-{r.text('h', 8)}@3x.webp 3x\">\n",
        "@app.route('/health')\n@pytest.mark.parametrize('a,b', [(1, 2)])\n@Override public void run() {}\n",
        f"uses: actions/checkout@v4\nuses: docker/build-push-action@{r.text('h', 40)}\n",
        f"root@{r.text('h', 12)}:/srv# tail -f /var/log/app.log\npip install acme@git+https://github.com/acme/acme@main\n",
        f"thanks @{r.text('l', 8)}, see @{r.text('l', 6)}'s comment\nload(\"@rules_go//go:def.bzl\", \"go_test\")\n",
    ])


def addresses(r):
    return (f"listen 0.0.0.0:8080; allow 10.0.0.0/8; deny 192.0.2.{r.randint(1, 250)}; upstream 127.0.0.1:9000; dns 2001:db8::{r.text('h', 4)}; "
            f"version 10.{r.randint(0, 20)}.{r.randint(0, 20)}.{r.randint(0, 200)}; section 1.{r.randint(1, 9)}.{r.randint(1, 9)}.{r.randint(1, 9)}\n")


def logs(r):
    return (f"2026-11-20T10:15:{r.randint(10, 59)}.{r.text('d', 3)}Z INFO http request method=GET path=/v1/items/{r.uuid()} status=200 bytes={r.randint(100, 99999)} "
            f"trace=00-{r.text('h', 32)}-{r.text('h', 16)}-01 session_count={r.randint(1, 999)} user={r.randint(1000, 99999)} took={r.random() * 100:.3f}ms\n")


def stack(r):
    return (f"java.lang.IllegalStateException: token expired at position {r.randint(1, 999)}\n\tat com.acme.auth.TokenService.verify(TokenService.java:{r.randint(1, 999)})\n"
            f"\tat com.acme.auth.PasswordFilter$$Lambda$14/0x{r.text('h', 16)}.apply(Unknown Source)\n\tat 0x7ff{r.text('h', 9)} <main+{r.randint(1, 9999)}>\n")


def http(r):
    return (f"HTTP/2 200\ncontent-type: application/json\netag: \"{r.text('h', 32)}\"\ncf-ray: {r.text('h', 16)}-FRA\nx-request-id: {r.uuid()}\nage: {r.randint(0, 9999)}\n"
            f"content-security-policy: script-src 'nonce-{r.b64(16)}' 'sha256-{r.b64(32)}'\nalt-svc: h3=\":443\"; ma=86400\n\n")


def styles(r):
    return f".Button_root__{r.text('a', 5)} .css-{r.text('L', 7)}{{color:#{r.text('h', 6)};background:url(/a/{r.text('h', 20)}.woff2?v={r.text('h', 8)})}}\n"


def table(r):
    return "| " + " | ".join([r.text("u", 2) + r.text("d", 6), str(r.randint(1, 99999)), f"{r.uniform(0, 9999):.2f}", f"2026-11-{r.randint(10, 28)}", r.text("d", 9)]) + " |\n"


def numbers(r):
    return " ".join(str(r.randint(10 ** (length - 1), 10 ** length - 1)) for length in (3, 5, 6, 7, 8, 9, 10, 11)) + "\n"


def kubernetes(r):
    return (f"  uid: {r.uuid()}\n  resourceVersion: \"{r.text('d', 9)}\"\n  name: agent-{r.text('L', 9)}-{r.text('L', 5)}\n  image: registry.acme.io/agent:{r.text('h', 7)}\n"
            f"  containerID: containerd://{r.text('h', 64)}\n  secretName: agent-tls\n  serviceAccountName: agent\n")


def words_of_hashes(r):
    return f"chunk-{r.text('h', 8)}.js main.{r.text('h', 20)}.css sk-button-{r.text('l', 6)} task-{r.text('L', 16)} pat-{r.text('d', 4)} key-{r.randint(1, 99)} v1.0-rc{r.randint(1, 9)} sess-{r.randint(1, 99)} live_{r.text('l', 7)} re_{r.text('l', 8)}_{r.text('l', 5)}\n"


CATEGORIES = [identifiers, git_log, sums, package_lock, cargo_lock, go_sum, python_lock, yarn_lock, image, image_json, wrapped_base64, minified, source_map, orders,
              books, times, snowflakes, parcels, decimals, vectors, hex_dump, talk, placeholders, code, public_keys, public_ids, at_signs, addresses, logs, stack,
              http, styles, table, numbers, kubernetes, words_of_hashes]

# What lies in every repository weighs more than what is made to be hard.
WEIGHT = {"placeholders": 0.2, "code": 0.4, "talk": 0.6, "public_ids": 0.15, "at_signs": 0.4, "numbers": 0.4, "words_of_hashes": 0.4}

JSON = {"identifiers", "image_json", "source_map", "snowflakes", "vectors"}


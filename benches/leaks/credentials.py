"""Credentials of every kind, drawn with right checksums.

`form` kinds are recognisable by themselves; `named` ones only beside a name; `generic` ones are whatever people
call a password. Forms are written as in `draw.Draw.fill`.
"""

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import Callable

from draw import Draw, base36, bech32, crc_base62


@dataclass
class Kind:
    name: str
    family: str  # form, named, generic
    draw: Callable[[Draw], str]
    names: list = field(default_factory=list)  # what stands beside it
    whole: bool = False  # its surroundings belong to it: it stands as it is
    of: str = "credentials"  # or pii


# Between these stands what is secret; what is public (a maker's prefix, the host of a URL) stands outside of them.
BEGIN, END = "\1", "\2"


def secret(text):
    return f"{BEGIN}{text}{END}"


def after(count, text):
    """All but the first characters is secret."""
    return text[:count] + secret(text[count:])


KINDS: list[Kind] = []


def filled(r, form):
    """A form with what follows its fixed beginning as the secret, unless it says itself what is."""
    text = r.fill(form)
    return text if BEGIN in text else after(len(form.split("<", 1)[0]), text)


def form(name, *forms, names=()):
    KINDS.append(Kind(name, "form", lambda r: filled(r, r.choice(forms)), list(names)))


def by(name, family="form", names=(), public=0, whole=False):
    def register(function):
        def drawn(r):
            text = function(r)
            return text if BEGIN in text else after(public, text)

        KINDS.append(Kind(name, family, drawn, list(names), whole))
        return function

    return register


def named(name, forms, *names):
    forms = [forms] if isinstance(forms, str) else forms
    KINDS.append(Kind(name, "named", lambda r: filled(r, r.choice(forms)), list(names)))


# 1.1 source control, CI, registries -------------------------------------------------------------


def with_crc(name, prefix, length=30):
    def drawn(r):
        body = r.mixed("a", length)
        return prefix + secret(body + crc_base62(body))

    KINDS.append(Kind(name, "form", drawn))


for suffix, what in (("p", "classic"), ("o", "oauth"), ("u", "user"), ("s", "server"), ("r", "refresh")):
    with_crc(f"github-{what}", f"gh{suffix}_")
form("github-server-long", "ghs_<a80>", "ghs_<a120>")
with_crc("npm", "npm_")


@by("github-fine-grained", public=11)
def _(r):
    body = f"{r.mixed('a', 22)}_{r.mixed('a', 53)}"
    return "github_pat_" + body + crc_base62(body)


named("github-oauth-app-secret", "<h40>", "GITHUB_CLIENT_SECRET", "github_client_secret", "githubClientSecret")
form("gitlab-pat", "glpat-<w20>")


@by("gitlab-routable", public=6)
def _(r):
    lines = f"o:{r.text('L', 2)}\nu:{r.text('L', 5)}\n".encode()
    payload = base64.urlsafe_b64encode(lines + r.bytes(r.randint(16, 40))).decode().rstrip("=")
    head = f"glpat-{payload}.01.{base36(len(payload), 2)}"
    return head + base36(zlib.crc32(head.encode()), 7)


for prefix, body in (("glrt-", "<w20>"), ("glrt-t1_", "<w20>"), ("gldt-", "<w20>"), ("glft-", "<w20>"), ("glffct-", "<w20>"),
                     ("glimt-", "<w25>"), ("glsoat-", "<w20>"), ("gloas-", "<h64>"), ("glagent-", "<w50>"),
                     ("glcbt-", "<x2>_<w20>"), ("glptt-", "<h40>"), ("GR1348941", "<w20>")):
    form(f"gitlab-{prefix.rstrip('-_')}", prefix + body)
form("gitlab-session", "_gitlab_session=<h32>")
form("gitlab-mail", f"incoming+<l6>-<l5>-<d8>-{secret('<w20>')}-issue@incoming.gitlab.com")
form("bitbucket-app-password", "ATBB<a24><H8>")
form("bitbucket-dc", "BBDC-<b44>")
named("bitbucket-client", ["<w64>"], "BITBUCKET_CLIENT_SECRET", "bitbucket_client_secret")


@by("atlassian-api-token", public=12)
def _(r):
    body = "ATATT3xFfGF0" + r.mixed("w", 171)
    return f"{body}={zlib.crc32(body.encode()):08X}"


@by("npm-legacy", "form", whole=True)
def _(r):
    return f"//registry.npmjs.org/:_authToken={secret(r.uuid())}"


form("pypi", "pypi-AgEIcHlwaS5vcmc<w120-180>", "pypi-AgENdGVzdC5weXBpLm9yZw<w120-180>")
form("rubygems", "rubygems_<h48>")
named("crates-io", "cio<a32>", "CARGO_REGISTRY_TOKEN", "cargo_registry_token")
named("nuget", "oy2<L43>", "NUGET_API_KEY", "nuget_api_key")
form("clojars", "CLOJARS_<L60>")
form("docker-hub", "dckr_pat_<w27>", "dckr_oat_<w32>")


@by("docker-config", whole=True)
def _(r):
    pair = base64.b64encode(f"{r.text('l', 7)}:{r.mixed('a', 20)}".encode()).decode()
    return '{"auths":{"registry.acme-corp.io":{"auth":"' + secret(pair) + '"}}}'


form("docker-swarm", "SWMTKN-1-<L50>-<L25>")
form("artifactory-key", "AKCp<a69>")
form("artifactory-reference", "cmVmdGtu<a56>")
form("packagist", "packagist_ort_<h68>", "packagist_out_<h68>")
form("circleci", "CCIPAT_<a22>_<h40>", "CCIPRJ_<a22>_<h40>")
form("buildkite", "bkua_<h40>")
named("travis", "<a22>", "TRAVIS_TOKEN", "TRAVIS_API_TOKEN")
named("drone", "<L32>", "DRONE_TOKEN", "drone_token")
named("codecov", "<uuid>", "CODECOV_TOKEN", "codecov_token")
form("sonarqube", "squ_<h40>", "sqp_<h40>", "sqa_<h40>")
named("octopus", "API-<U26>", "OCTOPUS_API_KEY", "octopus_api_key")
form("harness", "pat.<w22>.<a24>.<a20>", "sat.<w22>.<a24>.<a20>")
form("terraform-cloud", f"<a14>.atlasv1.{secret('<w64>')}")
form("pulumi", "pul-<h40>")
named("snyk", "<uuid>", "SNYK_TOKEN", "snyk_api_token")
form("sourcegraph", "sgp_<h16>_<h40>", "sgp_<h40>", "slk_<h64>")
form("infracost", "ico-<a32>")
form("prefect", "pnu_<a36>")
form("readme", "rdme_<L70>")
form("scalingo", "tk-us-<w48>")
form("postman", "PMAK-<h24>-<h34>")
form("deno", "ddp_<a36>", "ddw_<a36>")

# 1.2 clouds, databases, infrastructure ------------------------------------------------------------

form("aws-key-id", "AKIA<q16>", "ASIA<q16>")
named("aws-secret-key", "<b40>", "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "SecretAccessKey", "secretAccessKey")
named("aws-session-token", ["IQoJb3JpZ2lu<b300>", "FwoGZXIvYXdz<b300>"], "AWS_SESSION_TOKEN", "aws_session_token", "SessionToken")
form("aws-bedrock", "ABSK<b109>", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t<b120>")


@by("aws-presigned-url", whole=True)
def _(r):
    key = r.fill("AKIA<q16>")
    return (f"https://acme-exports.s3.amazonaws.com/{r.text('l', 6)}.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
            f"{key}%2F20261120%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20261120T101500Z&X-Amz-Expires=900"
            f"&X-Amz-SignedHeaders=host&X-Amz-Signature={secret(r.text('h', 64))}")


form("gcp-api-key", "AIza<w35>")
form("gemini", "AQ.Ab8RN6<w44>")
form("gcp-oauth", "ya29.<w150>")
form("google-refresh", "1//0<w60>")
form("google-client-secret", "GOCSPX-<w28>")


def pem_body(r, head, length=1200, width=64):
    body = head + r.b64(length)
    return "\n".join(body[at:at + width] for at in range(0, len(body), width))


PEM_KINDS = (("RSA ", "MIIEowIBAAKCAQEA", 1170), ("EC ", "MHcCAQEEI", 108), ("", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 1190),
             ("OPENSSH ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB", 300), ("ENCRYPTED ", "MIIFHDBOBgkqhkiG9w0BBQ0w", 1200),
             ("DSA ", "MIIBuwIBAAKBgQ", 420))


def plain(text):
    return text.replace(BEGIN, "").replace(END, "")


def pem(r, kind):
    label, head, length = kind
    dashes = "-" * 5
    return f"{dashes}BEGIN {label}PRIVATE KEY{dashes}\n{secret(pem_body(r, head, length))}\n{dashes}END {label}PRIVATE KEY{dashes}\n"


for pem_kind in PEM_KINDS:
    label = (pem_kind[0].strip() or "pkcs8").lower()
    KINDS.append(Kind(f"pem-{label}", "form", lambda r, kind=pem_kind: pem(r, kind), whole=True))


@by("pem-pgp", whole=True)
def _(r):
    dashes = "-" * 5
    return (f"{dashes}BEGIN PGP PRIVATE KEY BLOCK{dashes}\nVersion: GnuPG v2\n\n{secret(pem_body(r, 'lQOYBF', 1400))}\n=Xy1z\n"
            f"{dashes}END PGP PRIVATE KEY BLOCK{dashes}\n")


@by("pem-one-line", whole=True)
def _(r):
    return pem(r, r.choice(PEM_KINDS[:3])).strip().replace("\n", "\\n")


@by("pem-indented", whole=True)
def _(r):
    return "tls:\n  key: |\n" + "".join("    " + line + "\n" for line in pem(r, r.choice(PEM_KINDS[:3])).splitlines())


@by("pem-crlf", whole=True)
def _(r):
    return pem(r, r.choice(PEM_KINDS[:3])).replace("\n", "\r\n")


@by("kubeconfig-client-key", whole=True)
def _(r):
    return after(60, "    client-key-data: " + base64.b64encode(plain(pem(r, PEM_KINDS[0])).encode()).decode())


@by("putty", whole=True)
def _(r):
    return (f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: deploy\nPublic-Lines: 2\n{r.b64(48)}\n{r.b64(20)}\n"
            f"Private-Lines: 1\n{secret(r.b64(33))}\nPrivate-MAC: {r.text('h', 64)}\n")


@by("gcp-service-account", whole=True)
def _(r):
    document = json.dumps({"type": "service_account", "project_id": "acme-prod", "private_key_id": r.text("h", 40), "private_key": pem(r, PEM_KINDS[2]),
                           "client_email": "exports@acme-prod.iam.gserviceaccount.com"}, indent=2)
    return document.replace("\\u0001", BEGIN).replace("\\u0002", END)


@by("gcp-adc", whole=True)
def _(r):
    return json.dumps({"client_id": r.text("d", 12) + "-" + r.text("L", 32) + ".apps.googleusercontent.com",
                       "client_secret": r.fill("GOCSPX-" + secret("<w28>")), "refresh_token": r.fill("1//0" + secret("<w60>")), "type": "authorized_user"},
                      indent=1).replace("\\u0001", BEGIN).replace("\\u0002", END)


def marked(r, length, mark, at):
    """Base64 of so many random bytes, with the mark that newer keys have."""
    text = r.b64(length)
    return text[:at] + mark + text[at + len(mark):]


@by("azure-storage-key", whole=True)
def _(r):
    return f"DefaultEndpointsProtocol=https;AccountName=acme{r.text('l', 5)};AccountKey={secret(marked(r, 64, '+ASt', 76))};EndpointSuffix=core.windows.net"


@by("azure-sas", whole=True)
def _(r):
    signature = r.b64(32).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    return (f"https://acme{r.text('l', 5)}.blob.core.windows.net/exports/a.csv?sv=2024-11-04&ss=b&srt=o&sp=r&se=2027-01-01T00%3A00%3A00Z"
            f"&spr=https&sig={secret(signature)}")


form("azure-entra-secret", "<v3><d1>Q~<v32>".replace("<v3>", "<a3>").replace("<v32>", "<w32>"))


@by("azure-service-bus", whole=True)
def _(r):
    mark = r.choice(["+ARm", "+AEh"])
    return (f"Endpoint=sb://acme-{r.text('l', 5)}.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey="
            f"{secret(marked(r, 32, mark, 34))}")


@by("azure-iot", whole=True)
def _(r):
    return f"HostName=acme-{r.text('l', 4)}.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey={secret(marked(r, 32, 'AIoT', 32))}"


@by("azure-cosmos", whole=True)
def _(r):
    return f"AccountEndpoint=https://acme-{r.text('l', 5)}.documents.azure.com:443/;AccountKey={secret(marked(r, 64, 'ACDb', 76))};"


@by("azure-app-config", whole=True)
def _(r):
    return f"Endpoint=https://acme-{r.text('l', 5)}.azconfig.io;Id={r.text('a', 4)}-l9-s0:{r.text('a', 20)};Secret={secret(r.b64(32))}"


form("azure-acr", "<b42>+ACR<a6>".replace("<b42>", "<a42>"))
form("azure-openai", "<a52>JQQJ99<a14>ACOG<a8>")
named("azure-openai-old", "<h32>", "AZURE_OPENAI_API_KEY", "azure_openai_key", "AZURE_OPENAI_KEY")
form("azure-devops-pat", "<a76>AZDO<a4>")
named("azure-devops-pat-old", "<z52>", "AZURE_DEVOPS_PAT", "AZURE_DEVOPS_EXT_PAT", "azureDevopsPat")


@by("azure-function-key", whole=True)
def _(r):
    return f"https://acme-{r.text('l', 5)}.azurewebsites.net/api/export?code={secret(r.mixed('w', 44) + 'AzFu' + r.mixed('w', 6) + '==')}"


form("digitalocean", "dop_v1_<h64>", "doo_v1_<h64>", "dor_v1_<h64>")
form("alibaba-key-id", "LTAI<a20>")
named("alibaba-secret", "<a30>", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECRET_KEY", "aliyun_access_key_secret")
form("tencent-id", "AKID<a32>")
form("yandex", "AQVN<w35>", "t1.<w40>.<w86>", "YC<w38>")
named("ibm-cloud", "<w44>", "IBM_CLOUD_API_KEY", "IBMCLOUD_API_KEY", "ibm_api_key")
named("ovh", ["<a32>"], "OVH_APPLICATION_SECRET", "ovh_consumer_key", "OVH_CONSUMER_KEY")
named("scaleway", "<uuid>", "SCW_SECRET_KEY", "scaleway_secret_key")
form("exoscale-key-id", "EXO<h24>")
form("upcloud", "ucat_<U26>")
named("vultr", "<U36>", "VULTR_API_KEY", "vultr_api_key")
named("linode", "<h64>", "LINODE_TOKEN", "LINODE_API_TOKEN", "linode_token")
named("civo", "<a50>", "CIVO_TOKEN", "CIVO_API_KEY")
named("hetzner", "<a64>", "HCLOUD_TOKEN", "HETZNER_API_TOKEN", "hetzner_token")
form("heroku", "HRKU-AA<w58>")
named("heroku-old", "<uuid>", "HEROKU_API_KEY", "heroku_api_key")
form("fly", "fo1_<w43>", "fm2_<b120>", "fm1r_<b120>")
form("vercel", "vcp_<w56>", "vca_<w56>", "vci_<w56>")
named("vercel-old", "<a24>", "VERCEL_TOKEN", "vercel_token")
form("netlify", "nfp_<a36>")
named("netlify-old", "<w43>", "NETLIFY_AUTH_TOKEN", "netlify_token")
form("cloudflare", "cfut_<a40><h8>", "cfat_<a40><h8>")
named("cloudflare-old", "<w40>", "CLOUDFLARE_API_TOKEN", "CF_API_TOKEN", "cloudflare_api_token")
named("cloudflare-global", "<h37>", "CLOUDFLARE_API_KEY", "X-Auth-Key")
form("cloudflare-origin-ca", "v1.0-<h24>-<h146>")
named("fastly", "<w32>", "FASTLY_API_TOKEN", "FASTLY_API_KEY", "Fastly-Key")
form("render", "rnd_<a28>")
named("railway", "<uuid>", "RAILWAY_TOKEN", "railway_token")
named("koyeb", "<L64>", "KOYEB_TOKEN", "KOYEB_API_TOKEN")
named("northflank", "<w64>", "NORTHFLANK_API_TOKEN", "NORTHFLANK_TOKEN")
form("supabase", "sbp_<h40>", "sb_secret_<w31>")
form("neon", "napi_<L64>")
form("planetscale", "pscale_tkn_<w43>", "pscale_pw_<w43>", "pscale_oauth_<w43>")
named("upstash", "<a40>", "UPSTASH_REDIS_REST_TOKEN", "upstash_token")
form("aiven", "AVNS_<w19>")
form("mongodb-atlas", "mdb_sa_sk_<w40>")
form("databricks", "dapi<h32>", "dapi<h32>-2", "dose<h32>")
named("snowflake", "<w180>", "SNOWFLAKE_PAT", "SNOWFLAKE_TOKEN", "snowflake_password")
form("clickhouse", "4b1d<a38>")
form("cockroachdb", "CCDB1_<a22>_<a40>")
form("datastax", "AstraCS:<a24>:<h64>")
named("confluent", "<b64>", "CONFLUENT_API_SECRET", "CONFLUENT_CLOUD_API_SECRET", "confluent_api_secret")
form("elastic-cloud", "essu_<w100>")
form("openshift", "sha256~<w43>")
form("tailscale", "tskey-auth-<a17>-<a32>", "tskey-api-<a17>-<a32>", "tskey-client-<a17>-<a32>")
named("ngrok", "2<a26>_<a21>", "NGROK_AUTHTOKEN", "ngrok_authtoken", "NGROK_API_KEY")
form("defined-networking", "dnkey-<U26>-<U52>")
form("vault", "hvs.<w95>", "hvb.<w150>", "hvr.<w95>")
named("vault-legacy", "s.<a24>", "VAULT_TOKEN", "vault_token", "X-Vault-Token")
named("vault-approle", "<uuid>", "VAULT_SECRET_ID", "vault_secret_id")
named("hcp", "<w64>", "HCP_CLIENT_SECRET", "hcp_client_secret")
form("doppler", "dp.pt.<a43>", "dp.st.prd.<a43>", "dp.ct.<a43>", "dp.sa.<a43>", "dp.scim.<a43>", "dp.audit.<a43>")
form("onepassword-token", "ops_eyJ<b400>")
form("onepassword-secret-key", "A3-<U6>-<U11>-<U5>-<U5>-<U5>")


@by("age", public=16)
def _(r):
    data = [r.randrange(32) for _ in range(51)] + [r.choice([0, 16])]
    return bech32("age-secret-key-", data).upper()


named("infisical", "st.<h24>.<h32>.<h32>", "INFISICAL_TOKEN", "infisical_service_token")
named("akeyless", "p-<a12>", "AKEYLESS_ACCESS_ID", "akeyless_access_id")
named("bitwarden", "0.<uuid>.<a30>:<b24>", "BWS_ACCESS_TOKEN", "BITWARDEN_ACCESS_TOKEN")

# 1.3 AI providers -----------------------------------------------------------------------------------

form("openai", *(f"sk-{what}-<w{size}>T3BlbkFJ<w{size}>" for what in ("proj", "svcacct", "admin") for size in (58, 74)))
form("openai-legacy", "sk-<a20>T3BlbkFJ<a20>")
form("openai-session", "sess-<a40>")
form("anthropic", "sk-ant-api03-<w93>AA", "sk-ant-admin01-<w93>AA", "sk-ant-oat01-<w93>AA")
form("huggingface", "hf_<A34>", "api_org_<A34>")
form("groq", "gsk_<a20>WGdyb3FY<a24>")
form("xai", "xai-<a80>")
form("perplexity", "pplx-<a48>")
form("replicate", "r8_<a37>")
form("openrouter", "sk-or-v1-<h64>")
form("together", "tgp_v1_<w43>")
named("together-old", "<h64>", "TOGETHER_API_KEY", "together_api_key")
named("fireworks", "fw_<a24>", "FIREWORKS_API_KEY", "fireworks_api_key")
named("mistral", "<a32>", "MISTRAL_API_KEY", "mistral_api_key")
form("deepseek", "sk-<h32>")
form("moonshot", "sk-<a48>")
form("minimax", "sk-api-<w119>")
named("zai", "<h32>.<a16>", "ZAI_API_KEY", "ZHIPUAI_API_KEY")
named("cohere", "<a40>", "COHERE_API_KEY", "CO_API_KEY", "cohere_api_key")
form("nvidia", "nvapi-<w64>")
form("elevenlabs", "sk_<h48>")
form("cerebras", "csk-<L48>")
form("pinecone", "pcsk_<a6>_<a63>")
named("pinecone-old", "<uuid>", "PINECONE_API_KEY", "pinecone_api_key")
form("langsmith", "lsv2_pt_<h32>_<h10>", "lsv2_sk_<h32>_<h10>")
form("langfuse", "sk-lf-<uuid>")
form("llamacloud", "llx-<a48>")
form("voyage", "pa-<w43>", "al-<w43>")
form("jina", "jina_<a60>")
form("tavily", "tvly-dev-<a32>", "tvly-<a32>")
named("exa", "<uuid>", "EXA_API_KEY", "exa_api_key")
form("brave", "BSA<w28>")
form("firecrawl", "fc-<h32>")
form("cursor", "key_<h64>")
named("devin", ["apk_<b80>", "cog_<z52>"], "DEVIN_API_KEY", "devin_api_key")
named("wandb-old", "<h40>", "WANDB_API_KEY", "wandb_api_key")
form("wandb", "wandb_v1_<w77>")
named("deepgram", "<h40>", "DEEPGRAM_API_KEY", "deepgram_api_key")
named("assemblyai", "<L32>", "ASSEMBLYAI_API_KEY", "ASSEMBLY_AI_KEY")
named("greptile", "<a48>", "GREPTILE_API_KEY", "greptile_api_key")
form("mem0", "m0-<a40>")
form("runpod", "rpa_<U40>")
named("ollama", "<h32>.<w24>", "OLLAMA_API_KEY", "ollama_api_key")
named("upstage", "up_<a29>", "UPSTAGE_API_KEY", "upstage_api_key")
named("portkey", "<b28>", "PORTKEY_API_KEY", "portkey_api_key")


@by("github-copilot", whole=True)
def _(r):
    return "tid=" + secret(f"{r.text('h', 32)};exp=17951{r.text('d', 5)};sku=copilot_for_business_seat;st=dotcom;8kp=1:{r.text('h', 64)}")


# 1.4 messaging, payment, SaaS -----------------------------------------------------------------------

form("slack", "xoxb-<d12>-<d13>-<a24>", "xoxp-<d12>-<d12>-<d13>-<h32>", "xoxs-<d11>-<d11>-<d11>-<h10>", "xoxr-<d12>-<d12>-<a24>")
form("slack-app", "xapp-1-A<U10>-<d13>-<h64>")
form("slack-config", "xoxe.xoxp-1-<U163>", "xoxe-1-<U146>")
form("slack-session", "xoxc-<d12>-<d13>-<d13>-<h64>")
form("slack-cookie", "xoxd-<b100>")
form("slack-webhook", f"https://hooks.slack.com/services/T<U10>/B<U10>/{secret('<a24>')}", f"https://hooks.slack.com/triggers/T<U10>/<d13>/{secret('<h32>')}",
     f"https://hooks.slack.com/workflows/T<U10>/A<U10>/<d18>/{secret('<a24>')}")


@by("discord-bot")
def _(r):
    head = base64.urlsafe_b64encode(str(r.randint(10 ** 17, 10 ** 18 * 9)).encode()).decode().rstrip("=")
    return r.fill(f"{head}.<w6>.{secret('<w38>')}")


form("discord-webhook", f"https://discord.com/api/webhooks/<d18>/{secret('<w68>')}", f"https://discord.com/api/webhooks/<d19>/{secret('<w68>')}")


@by("telegram")
def _(r):
    return r.fill(f"{r.randint(10 ** 8, 10 ** 10 - 1)}:{secret('AA<w33>')}")


form("teams-webhook", f"https://acme.webhook.office.com/webhookb2/<uuid>@<uuid>/IncomingWebhook/{secret('<h32>/<uuid>')}")


@by("power-automate", whole=True)
def _(r):
    return (f"https://prod-{r.randint(10, 99)}.westeurope.logic.azure.com:443/workflows/{r.text('h', 32)}/triggers/manual/paths/invoke"
            f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={secret(r.mixed('w', 43))}")


form("twilio-key-sid", "SK<h32>")
named("twilio-auth-token", "<h32>", "TWILIO_AUTH_TOKEN", "twilio_auth_token", "twilioAuthToken")
form("sendgrid", "SG.<w22>.<w43>")
form("mailgun", "key-<h32>", "<h32>-<h8>-<h8>")
form("mailchimp", "<h32>-us<d2>")
form("brevo", "xkeysib-<h64>-<a16>", "xsmtpsib-<h64>-<a16>")
named("postmark", "<uuid>", "POSTMARK_SERVER_TOKEN", "POSTMARK_API_TOKEN", "X-Postmark-Server-Token")
form("resend", "re_<k8>_<k24>")
form("mailersend", "mlsn.<h64>")
named("mandrill", "<w22>", "MANDRILL_API_KEY", "mandrill_api_key")
named("sparkpost", "<h40>", "SPARKPOST_API_KEY", "sparkpost_api_key")
form("stripe", "sk_live_<a24>", "rk_live_<a99>", "sk_test_<a24>", "sk_live_<a99>", "rk_test_<a24>")
form("stripe-webhook", "whsec_<a32>")
form("stripe-intent", f"pi_<a24>_secret_{secret('<a25>')}")
form("square", "EAAA<w60>", "sq0atp-<w22>", "sq0csp-<w43>")
form("braintree", "access_token$production$<L16>$<h32>")
named("paypal", "E<w79>", "PAYPAL_CLIENT_SECRET", "paypal_client_secret", "PAYPAL_SECRET")
form("shopify", "shpat_<h32>", "shpca_<h32>", "shppa_<h32>", "shpss_<h32>")
form("razorpay", "rzp_live_<a14>")
form("plaid", "access-production-<uuid>")
form("paddle", "pdl_live_apikey_<L26>_<a22>_<a3>")
form("flutterwave", "FLWSECK-<h32>-X")
named("adyen", "AQE<b160>", "ADYEN_API_KEY", "adyen_api_key")
named("checkout", "sk_<uuid>", "CHECKOUT_SECRET_KEY", "checkout_secret_key")
form("gocardless", "live_<w40>")
form("ramp", "ramp_sec_<a48>")
form("xendit", "xnd_production_<a48>")
form("asaas", "$aact_prod_<b100>")
named("coinbase", "<a32>", "COINBASE_API_SECRET", "coinbase_api_secret")
form("duffel", "duffel_live_<w43>")
form("easypost", "EZAK<a54>")
form("lob", "live_<h35>")
form("shippo", "shippo_live_<h40>")
named("wise", "<uuid>", "WISE_API_TOKEN", "TRANSFERWISE_API_TOKEN")
named("datadog-api", "<h32>", "DD_API_KEY", "DATADOG_API_KEY", "DD-API-KEY", "datadog_api_key")
named("datadog-app", "<h40>", "DD_APP_KEY", "DATADOG_APP_KEY", "DD-APPLICATION-KEY")
form("datadog-new", "ddapp_<a34>")
form("newrelic", "NRAK-<U27>", "NRII-<w32>", "NRBR-<h19>")
form("newrelic-license", "<h32>FFFFNRAL", "eu01xx<h26>FFFFNRAL")


@by("grafana", public=5)
def _(r):
    body = "glsa_" + r.mixed("a", 32)
    return f"{body}_{zlib.crc32(body.encode()).to_bytes(4, 'little').hex()}"


@by("grafana-cloud", public=4)
def _(r):
    document = json.dumps({"o": r.text("d", 6), "n": "exports", "k": r.mixed("a", 24), "m": {"r": "eu"}})
    return "glc_" + base64.b64encode(document.encode()).decode()


@by("grafana-old", public=8)
def _(r):
    document = '{"k":"' + r.mixed("a", 32) + '","n":"exports","id":1}'
    return base64.b64encode(document.encode()).decode()


@by("sentry", public=13)
def _(r):
    document = '{"iat":1795' + r.text("d", 6) + '.' + r.text("d", 6) + ',"url":"https://sentry.io","region_url":"https://de.sentry.io","org":"acme"}'
    return f"sntrys_{base64.b64encode(document.encode()).decode()}_{r.fill('<b43>')}"


form("sentry-user", "sntryu_<h64>")
form("dynatrace", "dt0c01.<q24>.<q64>", "dt0s01.<q24>.<q64>")
named("honeycomb", "<a22>", "HONEYCOMB_API_KEY", "X-Honeycomb-Team", "honeycomb_api_key")
named("logzio", "<a32>", "LOGZIO_TOKEN", "logzio_token")
named("sumologic", "<L64>", "SUMO_ACCESS_KEY", "SUMOLOGIC_ACCESS_KEY")
named("splunk-hec", "<uuid>", "SPLUNK_HEC_TOKEN", "splunk_token")
named("pagerduty", "u+<w18>", "PAGERDUTY_API_KEY", "PAGERDUTY_TOKEN", "pagerduty_token")
named("opsgenie", "<uuid>", "OPSGENIE_API_KEY", "opsgenie_api_key")
form("rootly", "rootly_<h64>")
named("statuspage", "<h32>", "STATUSPAGE_API_KEY", "statuspage_api_key")
form("posthog", "phx_<a43>")
form("linear", "lin_api_<a40>", "lin_oauth_<a40>")
form("notion", "ntn_<d11><a35>")
named("notion-old", "secret_<a43>", "NOTION_TOKEN", "NOTION_API_KEY", "notion_token")
form("airtable", "pat<a14>.<h64>")
named("airtable-old", "key<a14>", "AIRTABLE_API_KEY", "airtable_api_key")
named("asana", "<d16>:<h32>", "ASANA_CLIENT_SECRET", "ASANA_ACCESS_TOKEN", "asana_token")
named("trello", "<h64>", "TRELLO_TOKEN", "TRELLO_API_TOKEN", "trello_token")
form("clickup", "pk_<d8>_<U32>")
form("figma", "figd_<w40>")
form("contentful", "CFPAT-<w43>")
form("typeform", "tfp_<w44>_<w14>")
form("intercom", "dG9rO<b55>=")
named("zendesk", "<a40>", "ZENDESK_API_TOKEN", "zendesk_api_token", "ZENDESK_SECRET_KEY")
form("hubspot", "pat-na1-<uuid>", "pat-eu1-<uuid>")
named("okta", "00<w40>", "OKTA_API_TOKEN", "okta_api_token")
by("okta-ssws", whole=True)(lambda r: f"Authorization: SSWS {secret('00' + r.mixed('w', 40))}")
named("auth0", "<w64>", "AUTH0_CLIENT_SECRET", "auth0_client_secret")
named("onelogin", "<h64>", "ONELOGIN_CLIENT_SECRET", "onelogin_client_secret")
named("launchdarkly", ["sdk-<uuid>", "api-<uuid>"], "LAUNCHDARKLY_SDK_KEY", "LD_SDK_KEY", "launchdarkly_api_key")
named("algolia", "<h32>", "ALGOLIA_ADMIN_KEY", "ALGOLIA_API_KEY", "X-Algolia-API-Key")


@by("mapbox", public=6)
def _(r):
    document = '{"u":"acme","a":"' + r.text("L", 25) + '"}'
    return f"sk.{base64.b64encode(document.encode()).decode().rstrip('=')}.{r.mixed('w', 22)}"


named("beamer", "b_<w44>", "BEAMER_API_KEY", "beamer_api_key")
form("frameio", "fio-u-<w64>")
form("lichess", "lip_<a20>")
form("salesforce", "00D<a12>!<s96>".replace("<s96>", "AQ<a94>"))
form("salesforce-refresh", "5AEP861<s80>".replace("<s80>", "<w80>"))
named("zoho", "1000.<h32>.<h32>", "ZOHO_REFRESH_TOKEN", "zoho_access_token")
form("facebook", "EAAC<a150>", "EAAM<a150>")
named("facebook-app", "<d15>|<a27>", "FACEBOOK_ACCESS_TOKEN", "fb_app_token")
form("twitter-bearer", "AAAAAAAAAAAAAAAAAAAAA<a30>%3D<a50>")
named("twitch", "<L30>", "TWITCH_CLIENT_SECRET", "twitch_client_secret")
named("spotify", "<h32>", "SPOTIFY_CLIENT_SECRET", "spotify_client_secret")
form("dropbox", "sl.<w140>")
named("box", "<a32>", "BOX_CLIENT_SECRET", "box_client_secret")
named("linkedin", "AQ<w90>", "LINKEDIN_ACCESS_TOKEN", "linkedin_token")
named("amplitude", "<h32>", "AMPLITUDE_API_KEY", "AMPLITUDE_SECRET_KEY")
named("mixpanel", "<h32>", "MIXPANEL_API_SECRET", "MIXPANEL_SECRET")
named("servicenow", "<a32>", "SERVICENOW_CLIENT_SECRET", "servicenow_password")
named("unleash", f"*:production.{secret('<h56>')}", "UNLEASH_API_TOKEN", "unleash_api_token")
form("workato", "wrkaus-<a60>".replace("<a60>", "<w60>"))
form("retool", "retool_<w32>")
form("segment", "sgp_<a64>")
form("devcycle", "dvc_server_<w40>")
form("statsig", "secret-<a43>")

# 1.5 generic ----------------------------------------------------------------------------------------


def b64json(document):
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode().rstrip("=")


def jwt(r, payload=None, header=None):
    header = header or {"alg": r.choice(["RS256", "ES256", "HS256"]), "typ": "JWT"}
    payload = payload or {"sub": r.uuid(), "iss": "https://idp.acme-corp.io", "exp": 1795000000 + r.randint(0, 10 ** 6), "scope": "read write"}
    return f"{b64json(header)}.{b64json(payload)}.{r.b64url(r.choice([32, 64, 256]))}"


by("jwt", public=3)(jwt)
by("jwt-kubernetes", public=3)(lambda r: jwt(r, {"iss": "https://kubernetes.default.svc.cluster.local", "kubernetes.io": {
    "namespace": "prod", "serviceaccount": {"name": "agent", "uid": r.uuid()}}, "sub": "system:serviceaccount:prod:agent", "exp": 1795999999}))
by("jwt-supabase-service", public=3)(lambda r: jwt(r, {"iss": "supabase", "ref": r.text("l", 20), "role": "service_role", "iat": 1795000000,
                                                        "exp": 2110000000}, {"alg": "HS256", "typ": "JWT"}))


@by("jwe", public=3)
def _(r):
    head = b64json({"alg": "RSA-OAEP", "enc": "A256GCM"})
    return f"{head}.{r.b64url(256)}.{r.b64url(12)}.{r.b64url(120)}.{r.b64url(16)}"


WORDS = ("winter", "Harbour", "copper", "Tiger", "orange", "Ledger", "falcon", "Summer", "quiet", "Delta", "river", "Magnet")


def password(r):
    """As people make them up, and as generators do."""
    return r.choice([
        lambda: r.fill("<a1><p14><a1>"),
        lambda: r.mixed("a", r.randint(12, 24)),
        lambda: f"{r.choice(WORDS)}{r.randint(10, 9999)}{r.choice('!#*%?')}{r.mixed('a', 4)}",
        lambda: f"{r.choice(WORDS)}-{r.mixed('L', 5)}-{r.choice(WORDS)}-{r.randint(10, 99)}",
        lambda: f"{r.text('a', 6)}!{r.text('a', 5)}#{r.text('d', 2)}",
    ])()


def plain_password(r):
    return r.mixed("a", r.randint(12, 24))


for what in ("password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "apikey", "client_secret", "private_key", "credential",
             "auth_token", "access_token", "db_password", "DB_PASSWORD", "SECRET_KEY", "ADMIN_PASSWORD", "smtpPassword", "jwtSecret"):
    KINDS.append(Kind(f"assignment-{what}", "generic", password, [what]))

for scheme in ("postgres", "postgresql", "mysql", "mongodb+srv", "redis", "rediss", "amqp", "ldap", "ftp", "smtp", "https", "mssql", "clickhouse"):
    @by(f"url-{scheme}", "generic", whole=True, public=len(scheme) + 10)
    def _(r, scheme=scheme):
        return f"{scheme}://svc_{r.text('l', 5)}:{secret(plain_password(r))}@db-{r.randint(1, 40)}.acme-corp.io:{r.randint(1024, 9999)}/app"


by("jdbc", "generic", whole=True)(
    lambda r: f"jdbc:postgresql://db-{r.randint(10, 40)}.acme-corp.io:5432/app?user=svc_{r.text('l', 5)}&password={secret(plain_password(r))}")
by("ado", "generic", whole=True)(
    lambda r: f"Server=db-{r.randint(10, 40)}.acme-corp.io;Database=app;User Id=svc_{r.text('l', 5)};Password={secret(plain_password(r))};Encrypt=true")
by("odbc", "generic", whole=True)(
    lambda r: f"Driver={{ODBC Driver 18}};Server=db-{r.randint(10, 40)}.acme-corp.io;Uid=svc_{r.text('l', 5)};Pwd={secret(plain_password(r))};")
by("bearer", "generic", whole=True, public=22)(lambda r: f"Authorization: Bearer {r.mixed('w', r.randint(32, 64))}")
by("basic", "generic", whole=True, public=21)(
    lambda r: "Authorization: Basic " + base64.b64encode(f"svc_{r.text('l', 5)}:{password(r)}".encode()).decode())
by("authorization-token", "generic", whole=True, public=21)(lambda r: f"Authorization: token {r.mixed('a', 40)}")
by("authorization-apikey", "generic", whole=True, public=22)(lambda r: f"Authorization: ApiKey {r.mixed('w', 48)}")
by("x-api-key", "generic", whole=True, public=11)(lambda r: f"X-Api-Key: {r.mixed('a', r.randint(24, 48))}")
by("set-cookie", "generic", whole=True)(lambda r: f"Set-Cookie: session={secret(r.mixed('w', 43))}; Path=/; HttpOnly; Secure")
by("cookie", "generic", whole=True)(lambda r: f"Cookie: sessionid={secret(r.mixed('L', 32))}; theme=dark")
by("netrc", "generic", whole=True)(lambda r: f"machine git.acme-corp.io login svc_{r.text('l', 5)} password {secret(plain_password(r))}")
by("pgpass", "generic", whole=True)(lambda r: f"db-{r.randint(10, 40)}.acme-corp.io:5432:app:svc_{r.text('l', 5)}:{secret(plain_password(r))}")
by("htpasswd", "generic", whole=True)(lambda r: f"admin:$apr1${secret(r.text('a', 8) + '$' + r.text('a', 22))}")
by("htpasswd-bcrypt", "generic", whole=True)(lambda r: f"admin:$2y$10${secret(r.text('a', 53))}")
by("shadow", "generic", whole=True)(lambda r: f"deploy:$6${secret(r.text('a', 16) + '$' + r.text('a', 86))}:20412:0:99999:7:::")
by("shadow-yescrypt", "generic", whole=True)(lambda r: f"deploy:$y$j9T${secret(r.text('a', 22) + '$' + r.text('a', 43))}:20412:0:99999:7:::")
by("otpauth", "generic", whole=True)(lambda r: f"otpauth://totp/Acme:ops?secret={secret(r.text('q', 32))}&issuer=Acme&digits=6")


@by("kubernetes-secret", "generic", whole=True)
def _(r):
    return ("apiVersion: v1\nkind: Secret\nmetadata:\n  name: billing\ndata:\n  password: "
            f"{secret(base64.b64encode(plain_password(r).encode()).decode())}\n")


assert len({kind.name for kind in KINDS}) == len(KINDS)

//! Keys and tokens of services, by how common and how decisive their form is.
//!
//! Facts from vendors' documentation; no key-shaped literal stands here, samples are drawn ([`super::sample`]).
//! To add one: a row, in alphabetical order. The sweep test then asks it for samples and near misses.

use super::super::matcher::Set;
use super::super::matcher::kind::{Check, Kind, Left, Shape, Step};
use crate::model::Severity;

use Shape::{Authority, Jwt, Near, Token};
use Step::{Literal, Open, Run};

/// One row; the mark bears the short name alone, because the public prefix stays before it.
macro_rules! credential {
    ($name:literal, $description:literal, $severity:ident, $anchors:expr, $left:expr, $shape:expr, $check:expr) => {
        Kind {
            name: concat!("credentials.", $name),
            mark: concat!("[redacted:", $name, "]"),
            description: $description,
            severity: Severity::$severity,
            anchors: $anchors,
            left: $left,
            shape: $shape,
            check: $check,
        }
    };
}

/// The name of an environment, a dot, and the token.
const DOPPLER: Set = Set::BASE64_URL.or(Set::DOT);
/// `.01.` and a checksum, which end GitLab's routable tokens.
const GITLAB_TAIL: Set = Set::LOWER_ALNUM.or(Set::DOT);
/// Numbers, letters and the dashes between them.
const SLACK: Set = Set::ALNUM.or(Set::DASH);

pub(super) static KINDS: [Kind; 58] = [
    credential!(
        "age-secret-key",
        "age identity, the private key of a file encryption tool",
        Critical,
        &["AGE-SECRET-KEY-1"],
        Left::WordStart,
        Token(&[Run(Set::UPPER_ALNUM, 58, 58)], Set::UPPER_ALNUM),
        Check::Plausible(350)
    ),
    credential!(
        "anthropic-api-key",
        "Anthropic API or OAuth key",
        Critical,
        &[
            "sk-ant-api03-",
            "sk-ant-admin01-",
            "sk-ant-oat01-",
            "sk-ant-ort01-"
        ],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 80, 120)], Set::BASE64_URL),
        Check::Plausible(400)
    ),
    credential!(
        "authorization-basic",
        "user and password of an HTTP Basic authorization (RFC 7617)",
        High,
        &["Basic ", "basic "],
        Left::WordStart,
        Token(
            &[Run(Set::BASE64, 8, 512), Run(Set::EQUALS, 0, 2)],
            Set::WORD
        ),
        Check::BasicPair
    ),
    credential!(
        "authorization-bearer",
        "token of an HTTP Bearer authorization (RFC 6750)",
        High,
        &["Bearer ", "bearer "],
        Left::WordStart,
        Token(
            &[Run(Set::TOKEN68, 20, 512), Run(Set::EQUALS, 0, 2)],
            Set::WORD
        ),
        Check::Opaque(300)
    ),
    credential!(
        "aws-secret-access-key",
        "AWS secret access key, next to its name",
        Critical,
        &[
            "secret_access_key",
            "SECRET_ACCESS_KEY",
            "ecretAccessKey",
            "ecret access key",
            "ecret Access Key",
            "aws_secret_key",
            "AWS_SECRET_KEY",
        ],
        Left::Any,
        Near {
            set: Set::BASE64,
            length: 40,
            within: 48
        },
        Check::Plausible(400)
    ),
    credential!(
        "jwt",
        "JSON Web Token (RFC 7519)",
        High,
        &["eyJ"],
        Left::WordStart,
        Jwt,
        Check::None
    ),
    credential!(
        "url-password",
        "password in the URL of a database, queue or web service",
        High,
        &[
            "amqp://",
            "amqps://",
            "clickhouse://",
            "ftp://",
            "ftps://",
            "http://",
            "https://",
            "ldap://",
            "ldaps://",
            "mariadb://",
            "mongodb://",
            "mongodb+srv://",
            "mssql://",
            "mysql://",
            "mysql+pymysql://",
            "nats://",
            "postgres://",
            "postgresql://",
            "postgresql+asyncpg://",
            "postgresql+psycopg://",
            "postgresql+psycopg2://",
            "redis://",
            "rediss://",
            "sftp://",
            "smtp://",
            "smtps://",
            "sqlserver://",
        ],
        Left::WordStart,
        Authority,
        Check::None
    ),
    credential!(
        "aws-access-key-id",
        "AWS access key id, long-lived or temporary",
        High,
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        Left::WordStart,
        Token(&[Run(Set::BASE32, 16, 16)], Set::WORD),
        Check::Plausible(250)
    ),
    credential!(
        "azure-storage-key",
        "Azure Storage or Cosmos DB account key",
        Critical,
        &["AccountKey="],
        Left::WordStart,
        Token(
            &[Run(Set::BASE64, 86, 86), Literal(b"==")],
            Set::BASE64.or(Set::EQUALS)
        ),
        Check::Plausible(400)
    ),
    credential!(
        "cloudflare-api-token",
        "Cloudflare API token or key of the new form",
        High,
        &["cfut_", "cfat_", "cfk_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 40, 40), Run(Set::HEX, 8, 8)], Set::WORD),
        Check::Plausible(350)
    ),
    credential!(
        "databricks-token",
        "Databricks personal access token",
        High,
        &["dapi"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 32, 32)], Set::WORD),
        Check::Plausible(280)
    ),
    credential!(
        "digitalocean-token",
        "DigitalOcean personal, OAuth or refresh token",
        High,
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 64, 64)], Set::WORD),
        Check::Plausible(300)
    ),
    credential!(
        "discord-webhook",
        "Discord webhook URL",
        Medium,
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        Left::WordStart,
        Token(
            &[
                Run(Set::DIGIT, 17, 20),
                Literal(b"/"),
                Run(Set::BASE64_URL, 60, 72)
            ],
            Set::BASE64_URL
        ),
        Check::Plausible(400)
    ),
    credential!(
        "docker-hub-token",
        "Docker Hub personal or organisation access token",
        High,
        &["dckr_pat_", "dckr_oat_"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 27, 32)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "doppler-service-token",
        "Doppler service token, with or without the name of its environment",
        High,
        &["dp.st."],
        Left::WordStart,
        Token(&[Run(DOPPLER, 40, 80)], Set::WORD.or(Set::DASH)),
        Check::Plausible(350)
    ),
    credential!(
        "doppler-token",
        "Doppler personal, service, CLI, SCIM or audit token",
        High,
        &["dp.pt.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 40, 44)], Set::WORD),
        Check::Plausible(350)
    ),
    credential!(
        "gcp-api-key",
        "Google API key",
        High,
        &["AIza"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 35, 35)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "gcp-oauth-client-secret",
        "Google OAuth client secret",
        High,
        &["GOCSPX-"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 28, 28)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "gcp-oauth-token",
        "Google OAuth access token",
        High,
        &["ya29."],
        Left::WordStart,
        Token(&[Open(Set::BASE64_URL, 20)], Set::BASE64_URL),
        Check::Plausible(300)
    ),
    credential!(
        "github-app-token",
        "GitHub OAuth, user-to-server, server-to-server or refresh token",
        Critical,
        &["gho_", "ghu_", "ghs_", "ghr_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 36, 255)], Set::WORD),
        Check::Crc32Base62(330)
    ),
    credential!(
        "github-fine-grained-pat",
        "GitHub fine-grained personal access token",
        Critical,
        &["github_pat_"],
        Left::WordStart,
        Token(
            &[
                Run(Set::ALNUM, 22, 22),
                Literal(b"_"),
                Run(Set::ALNUM, 59, 59)
            ],
            Set::WORD
        ),
        Check::Crc32Base62(350)
    ),
    credential!(
        "github-pat",
        "GitHub classic personal access token",
        Critical,
        &["ghp_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 36, 36)], Set::WORD),
        Check::Crc32Base62(330)
    ),
    credential!(
        "gitlab-routable-token",
        "GitLab token of the routable form",
        High,
        &["glpat-", "glrt-", "gldt-"],
        Left::WordStart,
        Token(
            &[
                Run(Set::BASE64_URL, 27, 300),
                Literal(b"."),
                Run(GITLAB_TAIL, 9, 12)
            ],
            Set::WORD
        ),
        Check::Plausible(300)
    ),
    credential!(
        "gitlab-token",
        "GitLab personal, deploy, runner, feed, agent or trigger token",
        Critical,
        &[
            "glpat-", "gldt-", "glrt-", "glft-", "glffct-", "glimt-", "glsoat-", "gloas-",
            "glagent-", "glptt-"
        ],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 20, 300)], Set::BASE64_URL),
        Check::Plausible(300)
    ),
    credential!(
        "grafana-token",
        "Grafana service account token",
        High,
        &["glsa_"],
        Left::WordStart,
        Token(
            &[
                Run(Set::ALNUM, 32, 32),
                Literal(b"_"),
                Run(Set::ANY_HEX, 8, 8)
            ],
            Set::WORD
        ),
        Check::Plausible(330)
    ),
    credential!(
        "groq-api-key",
        "Groq API key",
        High,
        &["gsk_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 52, 52)], Set::WORD),
        Check::Plausible(370)
    ),
    credential!(
        "huggingface-token",
        "Hugging Face user or organisation token",
        High,
        &["hf_", "api_org_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 34, 34)], Set::WORD),
        Check::Plausible(330)
    ),
    credential!(
        "linear-api-key",
        "Linear API key or OAuth token",
        High,
        &["lin_api_", "lin_oauth_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 40, 40)], Set::WORD),
        Check::Plausible(350)
    ),
    credential!(
        "mailgun-key",
        "Mailgun private API key",
        High,
        &["key-"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 32, 32)], Set::WORD.or(Set::DASH)),
        Check::Plausible(280)
    ),
    credential!(
        "newrelic-key",
        "New Relic user or browser key",
        High,
        &["NRAK-"],
        Left::WordStart,
        Token(&[Run(Set::UPPER_ALNUM, 27, 27)], Set::WORD),
        Check::Plausible(320)
    ),
    credential!(
        "notion-token",
        "Notion integration token",
        High,
        &["ntn_"],
        Left::WordStart,
        Token(
            &[Run(Set::DIGIT, 11, 11), Run(Set::ALNUM, 35, 35)],
            Set::WORD
        ),
        Check::Plausible(350)
    ),
    credential!(
        "npm-token",
        "npm access token",
        Critical,
        &["npm_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 36, 36)], Set::WORD),
        Check::Crc32Base62(330)
    ),
    credential!(
        "nvidia-api-key",
        "NVIDIA API key",
        High,
        &["nvapi-"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 60, 70)], Set::BASE64_URL),
        Check::Plausible(380)
    ),
    credential!(
        "openai-api-key",
        "OpenAI project, service account or admin key",
        Critical,
        &["sk-proj-", "sk-svcacct-", "sk-admin-"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 40, 220)], Set::BASE64_URL),
        Check::Plausible(380)
    ),
    credential!(
        "openai-legacy-key",
        "OpenAI user key of the old form",
        Critical,
        &["sk-"],
        Left::WordStart,
        Token(
            &[
                Run(Set::ALNUM, 20, 20),
                Literal(b"T3BlbkFJ"),
                Run(Set::ALNUM, 20, 20)
            ],
            Set::WORD
        ),
        Check::Plausible(370)
    ),
    credential!(
        "openrouter-api-key",
        "OpenRouter API key",
        High,
        &["sk-or-v1-"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 64, 64)], Set::WORD),
        Check::Plausible(300)
    ),
    credential!(
        "perplexity-api-key",
        "Perplexity API key",
        High,
        &["pplx-"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 48, 48)], Set::WORD),
        Check::Plausible(370)
    ),
    credential!(
        "planetscale-token",
        "PlanetScale password, service or OAuth token",
        High,
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 32, 64)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "postman-api-key",
        "Postman API key",
        High,
        &["PMAK-"],
        Left::WordStart,
        Token(
            &[Run(Set::HEX, 24, 24), Literal(b"-"), Run(Set::HEX, 34, 34)],
            Set::WORD
        ),
        Check::Plausible(300)
    ),
    credential!(
        "pulumi-token",
        "Pulumi access token",
        High,
        &["pul-"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 40, 40)], Set::WORD),
        Check::Plausible(290)
    ),
    credential!(
        "pypi-token",
        "PyPI upload token",
        Critical,
        &["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"],
        Left::WordStart,
        Token(&[Open(Set::BASE64_URL, 50)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "replicate-token",
        "Replicate API token",
        High,
        &["r8_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 37, 37)], Set::WORD),
        Check::Plausible(340)
    ),
    credential!(
        "rubygems-key",
        "RubyGems API key",
        Critical,
        &["rubygems_"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 48, 48)], Set::WORD),
        Check::Plausible(290)
    ),
    credential!(
        "sendgrid-key",
        "SendGrid API key",
        High,
        &["SG."],
        Left::WordStart,
        Token(
            &[
                Run(Set::BASE64_URL, 22, 22),
                Literal(b"."),
                Run(Set::BASE64_URL, 43, 43)
            ],
            Set::BASE64_URL
        ),
        Check::Plausible(380)
    ),
    credential!(
        "shopify-token",
        "Shopify access token or shared secret",
        High,
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        Left::WordStart,
        Token(&[Run(Set::ANY_HEX, 32, 32)], Set::WORD),
        Check::Plausible(280)
    ),
    credential!(
        "slack-app-token",
        "Slack app-level token",
        High,
        &["xapp-1-"],
        Left::WordStart,
        Token(
            &[
                Literal(b"A"),
                Run(Set::UPPER_ALNUM, 8, 12),
                Literal(b"-"),
                Run(Set::DIGIT, 10, 14),
                Literal(b"-"),
                Run(Set::HEX, 64, 64)
            ],
            Set::WORD
        ),
        Check::Plausible(300)
    ),
    credential!(
        "slack-token",
        "Slack bot, user or workspace token",
        High,
        &[
            "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxe-"
        ],
        Left::WordStart,
        Token(&[Run(SLACK, 24, 200)], Set::WORD.or(Set::DASH)),
        Check::Plausible(280)
    ),
    credential!(
        "slack-webhook",
        "Slack incoming webhook, workflow or trigger URL",
        Medium,
        &[
            "hooks.slack.com/services/",
            "hooks.slack.com/workflows/",
            "hooks.slack.com/triggers/"
        ],
        Left::WordStart,
        Token(
            &[
                Literal(b"T"),
                Run(Set::UPPER_ALNUM, 7, 12),
                Literal(b"/"),
                Run(Set::UPPER_ALNUM, 8, 16),
                Literal(b"/"),
                Run(Set::ALNUM, 16, 44)
            ],
            Set::WORD
        ),
        Check::Plausible(350)
    ),
    credential!(
        "square-token",
        "Square access token or application secret",
        High,
        &["sq0atp-", "sq0csp-"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 22, 43)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "stripe-secret-key",
        "Stripe secret or restricted key",
        Critical,
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_", "sk_prod_"],
        Left::WordStart,
        Token(&[Run(Set::ALNUM, 10, 128)], Set::WORD),
        Check::Plausible(270)
    ),
    credential!(
        "stripe-webhook-secret",
        "Stripe webhook signing secret",
        High,
        &["whsec_"],
        Left::WordStart,
        Token(&[Run(Set::BASE64, 32, 64)], Set::WORD),
        Check::Plausible(350)
    ),
    credential!(
        "supabase-key",
        "Supabase personal token or secret key",
        High,
        &["sbp_"],
        Left::WordStart,
        Token(&[Run(Set::HEX, 40, 40)], Set::WORD),
        Check::Plausible(290)
    ),
    credential!(
        "supabase-secret-key",
        "Supabase secret API key",
        Critical,
        &["sb_secret_"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 31, 31)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "tailscale-key",
        "Tailscale auth, API or OAuth client key",
        High,
        &["tskey-auth-", "tskey-api-", "tskey-client-"],
        Left::WordStart,
        Token(
            &[
                Run(Set::ALNUM, 10, 24),
                Literal(b"-"),
                Run(Set::ALNUM, 24, 40)
            ],
            Set::WORD
        ),
        Check::Plausible(350)
    ),
    credential!(
        "telegram-bot-token",
        "Telegram bot token",
        High,
        &[":AA"],
        Left::Run(Set::DIGIT, 8, 10),
        Token(&[Run(Set::BASE64_URL, 33, 33)], Set::BASE64_URL),
        Check::Plausible(330)
    ),
    credential!(
        "terraform-token",
        "Terraform Cloud API token",
        Critical,
        &[".atlasv1."],
        Left::Run(Set::ALNUM, 14, 14),
        Token(&[Run(Set::BASE64_URL, 60, 70)], Set::BASE64_URL),
        Check::Plausible(380)
    ),
    credential!(
        "vault-token",
        "HashiCorp Vault service, batch or recovery token",
        Critical,
        &["hvs.", "hvb.", "hvr."],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 90, 300)], Set::BASE64_URL),
        Check::Plausible(380)
    ),
    credential!(
        "xai-api-key",
        "xAI API key",
        High,
        &["xai-"],
        Left::WordStart,
        Token(&[Run(Set::BASE64_URL, 70, 120)], Set::BASE64_URL),
        Check::Plausible(380)
    ),
];

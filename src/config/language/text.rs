//! Kinds of text.

/// A kind of text, as far as its look goes. The decoder may ask for more.
#[derive(Debug)]
pub(in crate::config) struct Text {
    /// What it is, for the page: `path`.
    pub(super) name: &'static str,
    /// What it looks like, if that can be said by a regular expression (ECMA-262).
    pub(super) pattern: Option<&'static str>,
    /// What is wrong with a text that does not look like that.
    pub(super) expected: &'static str,
}

impl Text {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            pattern: Some(r"\S"),
            expected: "a text that is not empty",
        }
    }

    const fn looks(name: &'static str, pattern: &'static str, expected: &'static str) -> Self {
        Self {
            name,
            pattern: Some(pattern),
            expected,
        }
    }
}

pub(super) static TEXT: Text = Text::new("text");
pub(super) static NAME: Text = Text::new("name");
pub(super) static SAMPLE: Text = Text::looks(
    "share",
    r"^sample ([1-9][0-9]?|0?\.[0-9]{1,4}|[1-9]?[0-9]\.[0-9]{1,4})%$",
    "a share such as `sample 1%`",
);
pub(super) static PATH: Text = Text::new("path of a file");
pub(super) static FOLDER: Text = Text::new("path of a file or folder");
pub(super) static REGEX: Text = Text::new("regular expression");
pub(super) static CONDITION: Text = Text::new("condition");
pub(super) static ZONE: Text = Text::new("time zone");

pub(super) static ADDRESS: Text = Text::looks(
    "address:port",
    r"^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+(%\d+)?\]):\d{1,5}$",
    "an address and a port such as `127.0.0.1:8443`",
);
pub(super) static ADDRESS_ALONE: Text = Text::looks(
    "address",
    r"^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)$",
    "an address such as `10.1.2.3`",
);
pub(super) static ONE_ACTION: Text = Text::looks(
    "action",
    r"^((a2a|llm|mcp):[^*\s]+( [^*]+)?|http:[^*\s]+ /[^*]*)$",
    "one action such as `a2a:SendMessage quote-equity` or `http:GET /healthz`",
);
pub(super) static AGENT_URL: Text = Text::looks(
    "URL",
    r"^((https?|h2c)://[^/?#@\s]+/?|unix:(//)?/\S*[^/\s])$",
    "the address of an agent, such as `http://127.0.0.1:9000`, `https://agent.example`, `h2c://127.0.0.1:9000` or `unix:/run/agent.sock`",
);
pub(super) static SOCKET: Text = Text::looks(
    "address of a socket",
    r"^unix:(//)?/\S*[^/\s]$",
    "the address of a socket, such as `unix:///run/spire/agent.sock`",
);
pub(super) static SPIFFE_ID: Text = Text::looks(
    "SPIFFE ID",
    r"^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$",
    "a SPIFFE ID such as `spiffe://prod.example/ns/agents/sa/quotes`",
);
pub(super) static CLAIM: Text = Text::looks(
    "path of a claim",
    r"^claims(\.[^.]+)+$",
    "the path of a claim such as `claims.org_id`",
);
/// `claims.…`, or what an identity of another kind knows.
pub(super) static CLAIM_OR_PART: Text = Text::looks(
    "path of a claim",
    r"^(claims|spiffe|key)(\.[^.]+)+$",
    "the path of a claim such as `claims.org_id`",
);
pub(super) static FIELD_NAME: Text = Text::looks(
    "name of a header field",
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    "the name of a header field such as `x-request-id`",
);
pub(super) static FIELD_PATTERN: Text = Text::looks(
    "name of a header field, or a pattern with `*`",
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    "the name of a header field such as `x-debug`, or a pattern such as `x-internal-*`",
);
pub(super) static HOST_PATTERN: Text = Text::looks(
    "host, or all hosts below one",
    r"^((\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9a-fA-F:.]+\])$",
    "a host such as `hooks.acme.example`, `*.acme.example` or `10.1.2.3`",
);
pub(super) static HTTP_PATH: Text = Text::looks("path", "^/", "a path such as `/health`");
pub(super) static ID: Text = Text::new("pattern of ids");
pub(super) static LINE: Text = Text::looks(
    "line of text",
    r"^(?=.*\S)[^\u0000-\u001f\u007f]+$",
    "one line of at most 500 bytes",
);
pub(super) static METHOD: Text = Text::looks(
    "method, or `*`",
    r"^([A-Z-]+|\*)$",
    "a method in capitals such as `POST`",
);
pub(super) static NETWORK: Text = Text::looks(
    "network or address",
    r"^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)(/\d{1,3})?$",
    "a network such as `10.0.0.0/8`, or one address",
);
pub(super) static ORIGIN: Text = Text::looks(
    "origin",
    r"^[a-z][a-z0-9+.-]*://[^/?#@\s*]+$",
    "an origin as browsers write it, such as `https://desk.example`",
);
pub(super) static PERCENT: Text =
    Text::looks("share", r"^\d{1,3}(\.\d+)?%$", "a share such as `10%`");
pub(super) static PIN: Text = Text::looks(
    "hash",
    r"^sha256:[0-9a-f]{8,64}$",
    "a hash such as `sha256:0f5e2c7d`",
);
pub(super) static TENANT: Text = Text::looks(
    "tenant",
    r"^(?=.*\S)[^\u0000-\u001f\u007f]+$",
    "the name of a tenant",
);
pub(super) static TIER_NUMBER: Text = Text::looks(
    "tier.NUMBER",
    r"^tier\.\S+$",
    "the number of a tier such as `tier.calls`",
);
pub(super) static PREFIX: Text = Text::looks(
    "prefix",
    r"^[A-Za-z0-9_.:-]{1,64}$",
    "a text of at most 64 letters, digits, `_`, `.`, `:` and `-`",
);
pub(super) static SPIFFE: Text = Text::looks(
    "pattern of SPIFFE IDs",
    r"^spiffe://[a-z0-9._-]{1,255}(/(\*|[A-Za-z0-9._-]+))*(/\*\*)?$",
    "a pattern of SPIFFE IDs such as `spiffe://prod.example/ns/*/sa/*`",
);
pub(super) static WORKLOAD: Text = Text::looks(
    "pattern of workloads",
    r"^(spiffe|wimse)://[a-z0-9._-]{1,255}(/(\*|[A-Za-z0-9._-]+))*(/\*\*)?$",
    "a pattern of SPIFFE IDs or WIMSE URIs such as `spiffe://prod.example/ns/*/sa/*`",
);
pub(super) static KEY_URL: Text = Text::looks(
    "pattern of addresses",
    r"^https://[a-z0-9.-]+(:\d{1,5})?(/(\*|[A-Za-z0-9._~-]+))*(/\*\*|/)?$",
    "a pattern of addresses such as `https://agents.example/keys/*`",
);
pub(super) static TIME: Text = Text::looks(
    "instant",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$",
    "an instant such as `2026-01-31T18:00:00Z`",
);
pub(super) static UNTIL: Text = Text::looks(
    "date or instant",
    r"^\d{4}-\d{2}-\d{2}([Tt ].+)?$",
    "a date such as `2027-01-31` or an instant such as `2027-01-31T18:00:00Z`",
);
pub(super) static ANY_URL: Text = Text::looks(
    "URL",
    r"^https?://[^@?#\s]+$",
    "an address such as `https://agents.example/quotes`",
);
pub(super) static URL: Text = Text::looks(
    "URL",
    r"^(https://[^@\s]+|http://(localhost|127\.[0-9.]+|\[::1\])([:/?#]\S*)?)$",
    "an address such as `https://idp.example` (`http://` only on loopback)",
);

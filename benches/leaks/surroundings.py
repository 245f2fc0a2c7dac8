"""What stands around a value in the answers of agents: prose, Markdown, code, configuration, logs, dumps, chat."""

import re

from credentials import BEGIN, END
from draw import Draw
from traced import Traced

SENTENCES = """The deployment of the billing service finished at 14:02 and all 31 checks are green.
I looked at the three pull requests you named and the second one changes how invoices are rounded.
Nobody has run the nightly export since Tuesday, so the numbers for the north branch are four days old.
Please rotate it once the migration is done, and remove the old entry from the vault.
The error comes from the retry loop in worker.go, line 212, where the context is not passed on.
There are 4,711 rows in the staging table; 12 of them have no customer id.
If the job fails again, check the proxy first: it dropped two connections during the last run.
We agreed on version 2.14.3 and a canary of five percent for the first hour.
The customer wrote twice last week and would like an answer before Friday.
You can reproduce this locally with docker compose up and the seed data from fixtures.
The certificate of the gateway expires on 2027-03-31, long after the freeze.
Latency at the 99th percentile went from 210 ms to 187 ms after the index was added.""".splitlines()


# Of no interest to anybody: what most code is.
ORDINARY_CODE = """for (let i = 0; i < rows.length; i += 1) { total += rows[i].amount * rate; }
pub(crate) fn advance(&mut self, window: &[u8], from: usize) -> Option<usize> {
    if let Some(first) = self.blocks.front() { return first.begin.checked_sub(offset); }
def parse_rows(path, limit=100): return [row.strip().split(",") for row in open(path)][:limit]
SELECT branch, count(*) AS calls FROM requests WHERE created_at > now() - interval '7 days' GROUP BY 1;
func (w *Worker) Run(ctx context.Context, jobs <-chan Job) error { defer w.wg.Done() }
assert_eq!(outcome.unwrap().lines().count(), 42, "every line is there");
import { useEffect, useState } from "react"; export default function Table({ rows }) {
raise ValueError(f"unexpected branch {branch!r} in line {number}")
private final Map<String, List<Integer>> byBranch = new HashMap<>();""".splitlines()


def prose(r, least=1, most=3):
    return " ".join(r.sample(SENTENCES, r.randint(least, most)))


def plant(value):
    """The value; its secret parts are what counts."""
    out = Traced()
    for piece in re.split(f"({BEGIN}[^{END}]*{END})", value):
        is_secret = piece.startswith(BEGIN)
        if is_secret:
            piece = piece[1:-1]
        piece and out.add((piece, is_secret or BEGIN not in value))
    return out


def t(*pieces):
    return Traced(*pieces)


def words(name):
    return re.sub(r"[_\-.]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).lower()


def snake(name):
    return words(name).replace(" ", "_")


def screaming(name):
    return snake(name).upper()


def camel(name):
    first, *rest = words(name).split()
    return first + "".join(word.capitalize() for word in rest)


def kebab(name):
    return words(name).replace(" ", "-")


def ascii_name(name):
    return name if name.isascii() else None


# A value that needs nothing beside it, or whose whole line belongs to it -------------------------------

FREE = [
    lambda r, v: t(prose(r), "\n\nFor now use ", plant(v), " for the staging calls. ", prose(r)),
    lambda r, v: t(prose(r), " The value I found in the repository is `", plant(v), "`, which should not be there.\n"),
    lambda r, v: t("## Findings\n\n- ", prose(r, 1, 1), "\n- leaked in CI: **", plant(v), "**\n- ", prose(r, 1, 1), "\n"),
    lambda r, v: t("| setting | value |\n|---|---|\n| region | eu-west-1 |\n| current | ", plant(v), " |\n\n", prose(r)),
    lambda r, v: t(prose(r), "\n\n```\n", plant(v), "\n```\n", prose(r, 1, 1)),
    lambda r, v: t("user: what did you use?\nassistant: I used ", plant(v), "\nuser: thanks\n"),
    lambda r, v: t("2026-11-20T10:15:0", str(r.randint(0, 9)), "Z WARN agent.tools call failed value=", plant(v), " attempt=3\n",
                   "2026-11-20T10:15:11Z INFO agent.tools retrying\n"),
    lambda r, v: t("Traceback (most recent call last):\n  File \"/srv/app/export.py\", line 41, in main\n    client.send(item)\n"
                   "ValueError: request refused for ", plant(v), "\n"),
    lambda r, v: t("id,created,value,owner\n17,2026-11-02,", plant(v), ",ops\n18,2026-11-03,,ops\n"),
    lambda r, v: t("<table><tr><td>current</td><td>", plant(v), "</td></tr></table><p>", prose(r, 1, 1), "</p>\n"),
    lambda r, v: t("<p>", prose(r, 1, 1), " <code>", plant(v), "</code></p>\n"),
    lambda r, v: t("INSERT INTO settings (id, value, note) VALUES (12, '", plant(v), "', 'imported');\n"),
    lambda r, v: t("$ cat notes.txt\n", plant(v), "\n$ exit\n"),
    lambda r, v: t("value=\"", plant(v), "\"\nexport value\n"),
    lambda r, v: t("const client = new Client(\"", plant(v), "\");\nawait client.run();\n"),
    lambda r, v: t("client := api.New('", plant(v), "')\n"),
    lambda r, v: t("[", prose(r, 1, 1), "](https://wiki.acme-corp.io/a) ", plant(v), ".\n"),
    lambda r, v: t("Here it is: ", plant(v)),
    lambda r, v: t("items:\n  - name: first\n    value: ", plant(v), "\n  - name: second\n"),
    lambda r, v: t("HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\n\r\nunknown: ", plant(v), "\r\n"),
]

# A value whose surroundings belong to it -----------------------------------------------------------------

WHOLE = [
    lambda r, v: t(prose(r), "\n\n", plant(v), "\n\n", prose(r)),
    lambda r, v: t("```\n", plant(v), "\n```\n"),
    lambda r, v: t("# from the old host\n", plant(v), "\n# end\n"),
    lambda r, v: t(plant(v), "\n"),
    lambda r, v: t("$ cat config\n", plant(v), "\n$ \n"),
    lambda r, v: t("assistant: this is what the file says:\n\n", plant(v), "\n\nShall I move it to the vault?\n"),
]

# A value with its name beside it -------------------------------------------------------------------------

NAMED = [
    lambda r, n, v: t("# .env\nLOG_LEVEL=info\n", screaming(n), "=", plant(v), "\nPORT=8080\n"),
    lambda r, n, v: t("export ", screaming(n), "='", plant(v), "'\n./run.sh\n"),
    lambda r, n, v: t("service:\n  replicas: 3\n  ", snake(n), ": ", plant(v), "\n  region: eu-west-1\n"),
    lambda r, n, v: t("service:\n  ", camel(n), ": \"", plant(v), "\"\n"),
    lambda r, n, v: t("[service]\nregion = \"eu\"\n", snake(n), " = \"", plant(v), "\"\n"),
    lambda r, n, v: t("[default]\nregion=eu-west-1\n", snake(n), "=", plant(v), "\n"),
    lambda r, n, v: t("{\n  \"region\": \"eu\",\n  \"", snake(n), "\": \"", plant(v), "\",\n  \"retries\": 3\n}\n"),
    lambda r, n, v: t("{\"", camel(n), "\":\"", plant(v), "\",\"ok\":true}\n"),
    lambda r, n, v: t("import os\n\n", screaming(n), " = \"", plant(v), "\"  # TODO move\n\ndef main():\n    run(", screaming(n), ")\n"),
    lambda r, n, v: t("const ", camel(n), " = '", plant(v), "';\nconst client = connect({ ", camel(n), " });\n"),
    lambda r, n, v: t("var ", camel(n), " string = \"", plant(v), "\"\n"),
    lambda r, n, v: t("private static final String ", screaming(n), " = \"", plant(v), "\";\n"),
    lambda r, n, v: t("const ", screaming(n), ": &str = \"", plant(v), "\";\n"),
    lambda r, n, v: t("config = { :", snake(n), " => \"", plant(v), "\", :retries => 3 }\n"),
    lambda r, n, v: t("$", camel(n), " = '", plant(v), "';\n"),
    lambda r, n, v: t("public string ", camel(n), " { get; } = \"", plant(v), "\";\n"),
    lambda r, n, v: t("let ", camel(n), " = \"", plant(v), "\"\n"),
    lambda r, n, v: t("#define ", screaming(n), " \"", plant(v), "\"\n"),
    lambda r, n, v: t("$ deployctl apply --", kebab(n), " ", plant(v), " --region eu\n"),
    lambda r, n, v: t("$ deployctl apply --", kebab(n), "=", plant(v), "\n"),
    lambda r, n, v: t(prose(r), " The ", words(n), " is ", plant(v), " for now. ", prose(r, 1, 1)),
    lambda r, n, v: t("- ", words(n), ": `", plant(v), "`\n- region: eu\n"),
    lambda r, n, v: t("- **", words(n), "**: ", plant(v), "\n"),
    lambda r, n, v: t("> GET /v1/items HTTP/1.1\n> host: api.acme-corp.io\n> ", kebab(n), ": ", plant(v), "\n"),
    lambda r, n, v: t("2026-11-20T10:15:07Z DEBUG config loaded ", snake(n), "=", plant(v), " retries=3\n"),
    lambda r, n, v: t("<property name=\"", snake(n), "\" value=\"", plant(v), "\"/>\n"),
    lambda r, n, v: t("<", snake(n), ">", plant(v), "</", snake(n), ">\n"),
    lambda r, n, v: t("env:\n  - name: ", screaming(n), "\n    value: \"", plant(v), "\"\n"),
    lambda r, n, v: t("ENV ", screaming(n), " ", plant(v), "\n"),
    lambda r, n, v: t("| ", words(n), " | ", plant(v), " |\n"),
]

# Personal data: its name as people write it ------------------------------------------------------------

PERSONAL = [
    lambda r, n, v: t(prose(r), " Her ", n, " is ", plant(v), ". ", prose(r, 1, 1)),
    lambda r, n, v: t("Customer 4711\n", n, ": ", plant(v), "\nBranch: north\n"),
    lambda r, n, v: t("- ", n, ": ", plant(v), "\n- city: Basel\n"),
    lambda r, n, v: t("{\"customer\": 4711, \"", snake(n), "\": \"", plant(v), "\"}\n"),
    lambda r, n, v: t("{\n  \"", n, "\": \"", plant(v), "\",\n  \"city\": \"Lyon\"\n}\n"),
    lambda r, n, v: t("| ", n, " | ", plant(v), " |\n"),
    lambda r, n, v: t("customer:\n  ", snake(n), ": \"", plant(v), "\"\n  city: Porto\n"),
    lambda r, n, v: t("<dt>", n, "</dt><dd>", plant(v), "</dd>\n"),
    lambda r, n, v: t("user: my ", n, " is ", plant(v), "\nassistant: thank you, I noted it.\n"),
    lambda r, n, v: t("2026-11-20T10:15:07Z INFO form submitted ", snake(n), "=", plant(v), " ok=true\n"),
    lambda r, n, v: t("UPDATE customers SET ", snake(n), " = '", plant(v), "' WHERE id = 4711;\n"),
    lambda r, n, v: t("Please confirm the ", n, " (", plant(v), ") before Friday. ", prose(r, 1, 1)),
]


def place(r, kind, value):
    """A text with the value in it, as its kind allows, and what it is called: itself, with a short value."""
    templates, name = FREE, None
    if kind.whole:
        templates = WHOLE
    elif kind.of == "pii":
        if kind.family != "form" or r.random() > 0.7:
            templates, name = PERSONAL, r.choice(kind.names or [kind.name.split("-", 1)[-1].replace("-", " ")])
    elif kind.family != "form":
        templates, name = NAMED, r.choice(kind.names)
    elif r.random() < 0.25:
        templates, name = NAMED, kind.name.replace("-", "_") + r.choice(["_key", "_token"])
    template = r.choice(templates)
    return filled(template, r, name, value), str(filled(template, Draw("label"), name and "the_name", "VALUE"))


def filled(template, r, name, value):
    return template(r, name, value) if name else template(r, value)


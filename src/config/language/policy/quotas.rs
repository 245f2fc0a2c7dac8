//! `quotas`.

use super::mode;
use crate::config::language::text::{TEXT, TIER_NUMBER, ZONE};
use crate::config::language::{Choice, Field, Record, Value, Word};

const RATE_OR_TIER: Value = Value::Either(&[Value::Rate, Value::Text(&TIER_NUMBER)]);

const TIME_OR_QUEUE: Value = Value::Either(&[Value::Duration, Value::Record(&QUEUE)]);

pub(in crate::config) static QUEUE: Record = Record::new(
    "queue",
    "Calls that wait for their turn, each key's in a line of its own.",
    &[
        Field::new("time", Value::Duration, "How long a call may wait.")
            .required()
            .examples(&["2s"]),
        Field::new(
            "calls",
            Value::Number {
                least: 1,
                most: 10_000,
            },
            "How many calls may wait; one more is refused at once.",
        )
        .otherwise("as many as may run")
        .examples(&["100"]),
    ],
);

pub(in crate::config) static QUOTA: Record = Record::new(
    "quota",
    "How much may be used, and by what it is counted. It has exactly one measure; `rate` is the one to begin with.",
    &[
        Field::new(
            "rate",
            RATE_OR_TIER,
            "Calls over time: a rate such as `60/min`, or the number of the tenant's tier as `tier.calls`. Calls earn their place \
             evenly; they are not counted by the calendar.",
        )
        .examples(&["60/min", "tier.calls"]),
        Field::new(
            "window",
            RATE_OR_TIER,
            "Calls within the last stretch of time, at every moment. Above 64 calls those that come together are forgotten together, \
             at most 1/64 of the time late.",
        )
        .examples(&["50/hour"]),
        Field::new(
            "calendar",
            RATE_OR_TIER,
            "Calls in a day or an hour of the calendar: a budget, which is whole again when the next one begins. Days begin at midnight of \
             `zone`, also where its clocks change. Whoever spends it is refused as `QUOTA_EXCEEDED`.",
        )
        .examples(&["1000/day"]),
        Field::new(
            "concurrent",
            Value::Number { least: 1, most: 1_000_000 },
            "Calls at the same time, each until the last byte of its answer: streams and WebSockets for as long as they are open.",
        )
        .examples(&["8"]),
        Field::new(
            "liveTasks",
            Value::Number { least: 1, most: 1_000_000 },
            "Tasks that are not finished, each from the call that begins it to the answer or event that tells its end. One of which nothing \
             is heard for a day is not counted any more.",
        )
        .examples(&["100"]),
        Field::new(
            "tokens",
            RATE_OR_TIER,
            "Tokens that calls of model APIs (`llm:*`) use, over time: a budget that comes back evenly. As many as a call may use are counted before it, and as \
             many as its answer tells after it; what was used too much is taken from the next.",
        )
        .examples(&["20M/day", "tier.tokens"]),
        Field::new(
            "burst",
            Value::Number { least: 1, most: u32::MAX as u64 },
            "How many calls may come at once after a pause, with `rate`.",
        )
        .otherwise("the number in the rate")
        .examples(&["20"]),
        Field::new(
            "per",
            Value::OneOrMore(&Value::Word(PER)),
            "What is counted apart: one counter for each combination of these.",
        )
        .required()
        .examples(&["tenant", "[tenant, principal]"]),
        Field::new(
            "on",
            Value::OneOrMore(&Value::Action),
            "Which actions count: one action pattern or several.",
        )
        .otherwise("all")
        .examples(&["\"a2a:Send*\""]),
        Field::new(
            "queue",
            TIME_OR_QUEUE,
            "How long a call may wait for its turn, with `concurrent`, before it is refused. Who waits longest is next.",
        )
        .otherwise("not at all")
        .examples(&["2s", "{ time: 2s, calls: 100 }"]),
        Field::new(
            "zone",
            Value::Text(&ZONE),
            "The time zone of `calendar`, by its IANA name. Its rules are those that came with this version of lictor.",
        )
        .default("UTC")
        .examples(&["Europe/Berlin"]),
        Field::new(
            "count",
            Value::Text(&TEXT),
            "What is counted. With `rate`, `window` and `calendar`: `tasks`, which are calls that may begin one (messages of A2A that name no \
             task, tool calls of MCP), and not those that look after it. With `tokens`: `response.usage.total_tokens`, `response.usage.input_tokens` or \
             `response.usage.output_tokens` (also under the names of chat completions, `prompt_tokens` and `completion_tokens`).",
        )
        .otherwise("all calls, and all tokens")
        .examples(&["tasks"]),
        Field::new(
            "store",
            Value::Word(STORE),
            "Where the counters are kept.",
        )
        .default("local")
        .planned(),
        Field::new(
            "ifStoreDown",
            Value::Word(IF_DOWN),
            "What holds while a shared store does not answer.",
        )
        .default("local")
        .planned(),
        mode(),
    ],
)
.one_of(&[
    Choice { title: "calls over time", field: "rate" },
    Choice { title: "calls in a sliding window", field: "window" },
    Choice { title: "calls by the calendar", field: "calendar" },
    Choice { title: "calls at the same time", field: "concurrent" },
    Choice { title: "unfinished tasks", field: "liveTasks" },
    Choice { title: "tokens of a model", field: "tokens" },
])
.hints(&[
    ("actions", "on"),
    ("by", "per"),
    ("for", "on"),
    ("limit", "rate"),
    ("requests", "rate"),
])
.consequence("without it this quota would count something else");

/// What calls are counted by.
pub(in crate::config) static PER: &[Word] = &[
    Word::new(
        "action",
        "The action without its name, e.g. `a2a:SendMessage`.",
    ),
    Word::new("agent", "One counter for all calls."),
    Word::new(
        "name",
        "What the action is applied to: a skill, a tool, a path.",
    ),
    Word::new(
        "pair",
        "The calling agent of a tenant and the agent that it calls.",
    ),
    Word::new(
        "principal",
        "The caller: identity and id; without a credential, the source network.",
    ),
    Word::new("source", "The source address; of IPv6 the first 64 bits."),
    Word::new(
        "tenant",
        "The tenant; without a credential, the source network.",
    ),
    Word::new("tier", "All tenants of a tier together.").planned(),
];

static STORE: &[Word] = &[
    Word::new("local", "In this process."),
    Word::new(
        "redis",
        "In the Redis of `lictor.yaml`, shared by all instances.",
    ),
];

static IF_DOWN: &[Word] = &[
    Word::new("local", "Each instance counts for itself."),
    Word::new("allow", "Calls pass."),
    Word::new("deny", "Calls are refused."),
];

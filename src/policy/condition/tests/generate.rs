//! Conditions and calls from bytes, so that one generator serves properties and comparisons, and a failure
//! shrinks.

use serde_json::{Value as Json, json};

/// Bytes as throws of a die. Where they end every throw is 0, which is a leaf everywhere: so what is made of
/// them ends too.
#[derive(Debug)]
pub(super) struct Dice<'b>(std::slice::Iter<'b, u8>);

impl<'b> Dice<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes.iter())
    }

    fn roll(&mut self, sides: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % sides)
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[usize::from(self.roll(u8::try_from(words.len()).unwrap()))]
    }

    /// An expression of kind bool, as the subset that CEL and conditions share.
    pub(super) fn condition(&mut self, depth: u8) -> String {
        let sides = if depth == 0 { 9 } else { 17 };
        match self.roll(sides) {
            // Not the same value on both sides: of two truth values CEL says which is less.
            0 if self.roll(2) == 0 => {
                let (left, comparison) = (self.number(depth), self.comparison());
                format!("{left} {comparison} {}", self.whole(depth))
            }
            0 => {
                let (left, comparison) = (self.number(depth), self.comparison());
                format!("{left} {comparison} {}", self.double(depth))
            }
            1 => format!(
                "{} {} {}",
                self.text(),
                self.comparison(),
                self.text_or_literal()
            ),
            2 => format!(
                "{} {} {}",
                self.any(),
                self.pick(&["==", "!="]),
                self.literal()
            ),
            3 => format!("has({})", self.pick(ASKED)),
            4 => format!(
                "{}.{}({})",
                self.text(),
                self.pick(&["startsWith", "endsWith", "contains"]),
                self.text_or_literal()
            ),
            5 => format!("{} in {}", self.any(), self.pick(LISTS)),
            6 if self.roll(2) == 0 => format!("{} in caller.groups", self.pick(TEXTS)),
            6 => {
                let lists = ["args.list", "args.b", "args.gone"];
                format!("{} in {}", self.literal(), self.pick(&lists))
            }
            7 => format!("{}.matches({})", self.text(), self.pick(PATTERNS)),
            8 => self
                .pick(&["args.b", "claims.b", "args.x", "args.gone", "true", "false"])
                .to_owned(),
            9 | 10 => format!(
                "({} && {})",
                self.condition(depth - 1),
                self.condition(depth - 1)
            ),
            11 | 12 => format!(
                "({} || {})",
                self.condition(depth - 1),
                self.condition(depth - 1)
            ),
            13 => format!("!({})", self.condition(depth - 1)),
            14 => format!(
                "({} ? {} : {})",
                self.condition(depth - 1),
                self.condition(depth - 1),
                self.condition(depth - 1)
            ),
            15 => format!("{} {} {}", self.time(), self.comparison(), self.time()),
            _ => format!(
                "({}) == ({})",
                self.condition(depth - 1),
                self.condition(depth - 1)
            ),
        }
    }

    fn comparison(&mut self) -> &'static str {
        self.pick(&["==", "!=", "<", "<=", ">", ">="])
    }

    /// Whole numbers among themselves, doubles among themselves: CEL mixes them in comparisons only.
    fn number(&mut self, depth: u8) -> String {
        let sides = if depth == 0 { 5 } else { 9 };
        match self.roll(sides) {
            0 => self.whole(0),
            1 => self.double(0),
            2 => self.pick(&["args.x", "args.gone", "args.t"]).to_owned(),
            3 => format!(
                "size({})",
                self.pick(&[
                    "args.t",
                    "args.list",
                    "caller.id",
                    "caller.groups",
                    "args.gone",
                    "args.n"
                ])
            ),
            4 => format!(
                "time.{}()",
                self.pick(&[
                    "getHours",
                    "getMinutes",
                    "getDayOfWeek",
                    "getDate",
                    "getMonth",
                    "getFullYear",
                    "getDayOfYear",
                    "getDayOfMonth",
                    "getSeconds",
                    "getMilliseconds"
                ])
            ),
            5 | 6 => self.whole(depth),
            _ => self.double(depth),
        }
    }

    fn whole(&mut self, depth: u8) -> String {
        let sides = if depth == 0 { 2 } else { 4 };
        match self.roll(sides) {
            0 => self
                .pick(&["args.n", "caller.rank", "request.size", "args.m"])
                .to_owned(),
            1 => self
                .pick(&[
                    "0",
                    "1",
                    "2",
                    "7",
                    "-3",
                    "0x10",
                    "10000",
                    "9007199254740993",
                    "9223372036854775807",
                ])
                .to_owned(),
            2 => format!(
                "({} {} {})",
                self.whole(depth - 1),
                self.pick(&["+", "-", "*", "/", "%"]),
                self.whole(depth - 1)
            ),
            _ => format!("-({})", self.whole(depth - 1)),
        }
    }

    fn double(&mut self, depth: u8) -> String {
        let sides = if depth == 0 { 2 } else { 4 };
        match self.roll(sides) {
            0 => self.pick(&["args.f", "claims.f"]).to_owned(),
            1 => self.pick(&["0.5", "2.5", "1e3", ".25", "-1.5"]).to_owned(),
            2 => format!(
                "({} {} {})",
                self.double(depth - 1),
                self.pick(&["+", "-", "*"]),
                self.double(depth - 1)
            ),
            _ => format!("-({})", self.double(depth - 1)),
        }
    }

    fn text(&mut self) -> &'static str {
        self.pick(&[
            "caller.id",
            "args.t",
            "claims['t']",
            "name",
            "request.header['x-a']",
            "args.x",
            "args.gone",
            "caller.tenant",
        ])
    }

    fn text_or_literal(&mut self) -> &'static str {
        if self.roll(2) == 0 {
            self.pick(TEXTS)
        } else {
            self.pick(&["caller.id", "args.t", "claims['t']", "name", "args.gone"])
        }
    }

    fn time(&mut self) -> String {
        match self.roll(5) {
            0 => "time".to_owned(),
            1 => self
                .pick(&[
                    "timestamp('2025-11-24T16:30:15.250Z')",
                    "timestamp('2025-01-01T00:00:00+02:00')",
                ])
                .to_owned(),
            2 => format!("time + {}", self.duration()),
            3 => format!("time - {}", self.duration()),
            _ => format!("timestamp('2025-01-01T00:00:00Z') - {}", self.duration()),
        }
    }

    fn duration(&mut self) -> &'static str {
        self.pick(&[
            "duration('1h30m')",
            "duration('0')",
            "duration('-1.5h')",
            "duration('250ms')",
            "duration('3us')",
        ])
    }

    fn any(&mut self) -> &'static str {
        self.pick(&[
            "args.x",
            "args.n",
            "args.t",
            "args.f",
            "args.gone",
            "claims.b",
            "args.b",
        ])
    }

    fn literal(&mut self) -> &'static str {
        self.pick(&[
            "1",
            "'abc'",
            "2.5",
            "true",
            "null",
            "false",
            "''",
            "-3",
            "'ana@acme'",
        ])
    }

    /// What is known of a call; everything may be missing.
    pub(super) fn call(&mut self) -> Json {
        let mut call = serde_json::Map::new();
        call.insert("time".to_owned(), json!("2025-11-24T16:30:15.250Z"));
        let mut args = serde_json::Map::new();
        self.put(
            &mut args,
            "n",
            &[
                json!(0),
                json!(1),
                json!(-3),
                json!(10000),
                json!(i64::MAX),
                json!(i64::MIN),
            ],
        );
        self.put(&mut args, "m", &[json!(2), json!(7), json!(0)]);
        self.put(
            &mut args,
            "f",
            &[json!(0.5), json!(2.5), json!(-1.5), json!(1000.0)],
        );
        self.put(
            &mut args,
            "t",
            &[
                json!("abc"),
                json!(""),
                json!("ana@acme"),
                json!("Zürich"),
                json!("7"),
            ],
        );
        self.put(&mut args, "b", &[json!(true), json!(false)]);
        self.put(
            &mut args,
            "x",
            &[
                json!(1),
                json!("abc"),
                json!(2.5),
                json!(true),
                json!(null),
                json!(-3),
                json!(""),
            ],
        );
        self.put(
            &mut args,
            "list",
            &[
                json!([1, "abc", 2.5]),
                json!([]),
                json!([true, null, "ana@acme"]),
                json!(["a", "b"]),
            ],
        );
        let mut claims = serde_json::Map::new();
        self.put(
            &mut claims,
            "t",
            &[json!("abc"), json!("ana@acme"), json!("B")],
        );
        self.put(&mut claims, "b", &[json!(true), json!(false), json!("abc")]);
        self.put(&mut claims, "f", &[json!(0.25), json!(1.0)]);
        call.insert("args".to_owned(), Json::Object(args));
        call.insert("claims".to_owned(), Json::Object(claims));
        let mut headers = serde_json::Map::new();
        self.put(&mut headers, "x-a", &[json!("abc"), json!("a")]);
        call.insert("request.header".to_owned(), Json::Object(headers));
        self.put(&mut call, "caller.id", &[json!("ana@acme"), json!("abc")]);
        self.put(&mut call, "caller.tenant", &[json!("acme")]);
        self.put(&mut call, "caller.rank", &[json!(2), json!(0), json!(7)]);
        self.put(
            &mut call,
            "caller.groups",
            &[json!(["abc", "staff"]), json!([])],
        );
        self.put(&mut call, "request.size", &[json!(0), json!(10000)]);
        self.put(&mut call, "name", &[json!("abc"), json!("wire_transfer")]);
        Json::Object(call)
    }

    fn put(&mut self, into: &mut serde_json::Map<String, Json>, name: &str, values: &[Json]) {
        let sides = u8::try_from(values.len()).unwrap() + 1;
        // The last side is the missing one.
        if let Some(value) = values.get(usize::from(self.roll(sides))) {
            into.insert(name.to_owned(), value.clone());
        }
    }
}

const TEXTS: &[&str] = &[
    "'abc'",
    "\"ana@acme\"",
    "''",
    "'a'",
    "r'\\d'",
    "'Z\\u00fcrich'",
    "'\\x41'",
    "'''b'''",
];

const LISTS: &[&str] = &[
    "[1, 2, -3]",
    "['abc', 'x', '']",
    "[2.5]",
    "[true]",
    "['a','b','c','d','e','f','g','h','i','abc']",
];

const PATTERNS: &[&str] = &["'^a'", "'b+'", "r'^\\w+$'", "'[A-Z]'", "'^$'"];

const ASKED: &[&str] = &[
    "args.n",
    "args.x",
    "claims.t",
    "caller.id",
    "request.header.origin",
    "args.gone",
    "request.size",
    "actor.id",
    "claims.b",
];

//! What shows where in an agent's code an error was made.

use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Whether a text holds a piece of a stack trace, of a page that frameworks show to their developers, or of what
/// libraries of databases say. Also as it stands in a string of JSON or in HTML, with quotes and ends of lines escaped.
///
/// Not a scan for secrets: whatever else stands in an error passes through that afterwards.
pub(super) fn shows_internals(text: &[u8]) -> bool {
    INTERNALS.is_match(text)
}

static INTERNALS: LazyLock<RegexSet> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the patterns are constants, and a test compiles them"
    )]
    RegexSetBuilder::new(PATTERNS)
        .unicode(false)
        .build()
        .expect("patterns of ours")
});

/// Bounded everywhere, so that no text is looked at for long.
const PATTERNS: &[&str] = &[
    // Python
    r"Traceback \(most recent call last\)",
    r#"File (?:\\*"|&quot;|&#34;|&#x22;)[^"&\r\n]{1,400}(?:"|&quot;|&#34;|&#x22;), line [0-9]"#,
    // The machine of Java
    r"\bat [\w$./<>]{1,300}\([\w$-]{1,200}\.(?:java|kt|scala|groovy|clj):[0-9]+\)",
    r"\bat [\w$./<>]{1,300}\((?:Native Method|Unknown Source)\)",
    r"Exception in thread ",
    r"\b(?:java|javax|jakarta|kotlin|org|com|io)(?:\.\w{1,80}){1,12}(?:Exception|Error)\b",
    // JavaScript
    r"\bat (?:async )?[\w$.<>\[\] ]{0,200}\(?(?:file://|node:|/|[A-Za-z]:\\)[^\s()]{1,300}:[0-9]+:[0-9]+",
    // .NET
    r"\bat [\w.`<>\[\],+]{1,300}\([^)\r\n]{0,300}\) in [^\r\n]{1,300}:line [0-9]",
    r"\bat (?:System|Microsoft)\.[\w.`<>\[\],+]{1,300}\(",
    r"End of (?:inner exception stack trace|stack trace from previous)",
    // Rust
    r"thread '[^'\r\n]{0,200}' (?:\([0-9]+\) )?panicked at",
    r"stack backtrace:",
    // Go
    r"goroutine [0-9]+ \[[a-z0-9 ,]{1,60}\]:",
    r"panic: runtime error:",
    r"\.go:[0-9]+ \+0x[0-9a-f]+",
    // Ruby
    r"[\w./-]{1,300}\.rb:[0-9]+:in [`'\\]",
    // PHP
    r"(?:Fatal error|Warning|Notice|Deprecated)(?:</b>)?: .{1,500} in (?:<b>)?.{1,300}\.php",
    r"#[0-9]+ [^\r\n]{1,300}\.php\([0-9]+\)",
    // Pages for developers
    r"Werkzeug Debugger",
    r"DEBUG = True",
    r"Symfony Exception",
    r"Whoops! There was an error",
    // Databases
    r"SQLSTATE\[",
    r"\bsqlalchemy\.exc\.",
    r"\[SQL: ",
    r"\b(?:psycopg2?|asyncpg|pymysql|sqlite3|pymongo)\.\w",
    r"\bORA-[0-9]{5}\b",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_every_language_are_known() {
        let cases = [
            "Traceback (most recent call last):",
            "  File \"/app/agent.py\", line 31, in run",
            r#"{"detail":"File \"/app/agent.py\", line 31, in run\n"}"#,
            "<pre>File &quot;/app/agent.py&quot;, line 7</pre>",
            "\tat com.acme.Quotes.find(Quotes.java:41)",
            "at java.base/jdk.internal.reflect.Native.invoke(Native Method)",
            "java.lang.NullPointerException: null",
            "    at Object.<anonymous> (/srv/agent/index.js:12:7)",
            "    at async file:///srv/agent/index.mjs:4:2",
            "   at Acme.Quotes.Find(String id) in C:\\src\\Quotes.cs:line 12",
            "   at System.Threading.Tasks.Task.Execute()",
            "thread 'tokio-runtime-worker' panicked at src/main.rs:4:5:",
            "thread 'main' (42) panicked at src/main.rs",
            "goroutine 1 [running]:",
            "\t/srv/main.go:12 +0x1d",
            "app/quotes.rb:12:in `find'",
            "<b>Fatal error</b>: Uncaught Error in <b>/var/www/a.php</b> on line 3",
            "#0 /var/www/index.php(12): find()",
            "<code>DEBUG = True</code>",
            "SQLSTATE[42S02]: Base table or view not found",
            "(psycopg2.errors.UndefinedTable) relation",
        ];
        for case in cases {
            assert!(shows_internals(case.as_bytes()), "{case}");
        }
    }

    #[test]
    fn what_is_said_to_callers_is_none() {
        let cases = [
            "Task not found: nope",
            "Task cannot be canceled - current state: TaskState.completed",
            "Expecting value: line 1 column 13 (char 12)",
            r#"{"detail":[{"loc":["body","items",0,"id"],"msg":"field required"}]}"#,
            "Bad Request: Server not initialized",
            "Look at the file \"report.pdf\", page 3",
            "at 10:30:12 the office (London) is closed",
            "A2A version '0.3' is not supported by this handler.",
            "Warning: the quota is nearly spent",
        ];
        for case in cases {
            assert!(!shows_internals(case.as_bytes()), "{case}");
        }
    }
}

# `just check` is what CI runs, `just test` the fast half of it.

default:
    @just --list

# everything that CI gates on
check:
    bash tests/run

# unit, integration and doc tests, without the slow steps around them
test *args:
    cargo test --workspace {{ args }}

# beside other proxies; see benches/README.md
bench *args:
    bash benches/compare/run {{ args }}

# one fuzz target: `just fuzz scan_chunking 60`
fuzz target seconds="60":
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{ target }} -- -max_total_time={{ seconds }}

# lictor before an agent on port 9000, with a policy folder
run policies="policies" *args:
    cargo run -- run --upstream http://127.0.0.1:9000 --policies {{ policies }} {{ args }}

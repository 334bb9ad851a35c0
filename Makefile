# What a person does with a checkout. `make help` lists it.

export PATH := $(PATH):$(HOME)/.cargo/bin

HOST    := target/debug/switchboard
PLUGINS := echo chat
FEED    := examples/feed-cpp/feed
CONF    ?= zope.conf.example

FUZZED       := $(notdir $(wildcard core/fuzz/corpus/*))
FUZZ_SECONDS ?= 600

ZCONFIG_SEEDS ?= 1,2,3

.DEFAULT_GOAL := help
.PHONY: help run test fmt lint autobahn zconfig bench benched performance idle crowd soak instructions fuzz doc clean tools

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.* ## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

run: tools $(FEED) ## build the host, its plugins and the live feed, and serve zope.conf.example
	@echo "building the host and the plugins $(PLUGINS)"
	@cargo build --package switchboard $(PLUGINS:%=--package switchboard-plugin-%)
	@mkdir -p -m 755 var var/plugins
	@# A running host may have the old file mapped: the new one is renamed over it, never written into it.
	@for plugin in $(PLUGINS); do \
	  install -m 755 target/debug/lib$$plugin.so var/plugins/.lib$$plugin.so.new && \
	  mv -f var/plugins/.lib$$plugin.so.new var/plugins/lib$$plugin.so && \
	  echo "plugin: var/plugins/lib$$plugin.so" || exit 1; \
	done
	@echo "program: $(FEED), which the host starts; kill -9 of it is harmless: the host starts it again"
	@echo "serving $(CONF); Ctrl-C ends it"
	@exec $(HOST) serve -c $(CONF)

# A program that runs keeps its file: the new one is renamed over it.
$(FEED): $(FEED).cpp $(wildcard sdk/cpp/include/switchboard/*) | tools
	@echo "building the program $@"
	@c++ -std=c++17 -O2 -pthread -I sdk/cpp/include -o $@.new $< && mv -f $@.new $@

test: ## install what the tests need, and run every check and test
	@command -v python3 >/dev/null || $(call install,python3)
	@core/tests/run

fmt: ## format all Rust code
	cargo fmt --all

lint: tools ## format check, clippy and documentation, as in `make test`
	@core/tests/run fmt clippy doc

autobahn: tools ## run the Autobahn testsuite on every path, and write docs/conformance.md
	@command -v python3 >/dev/null || $(call install,python3 python3-venv)
	@command -v openssl >/dev/null || $(call install,openssl)
	cargo build --release --package switchboard --package switchboard-plugin-echo
	core/tests/autobahn/run --release $(AUTOBAHN)

zconfig: tools ## compare grammar and datatypes with the real ZConfig, 20,000 conf files for each of ZCONFIG_SEEDS (default 1,2,3)
	@command -v python3 >/dev/null || $(call install,python3 python3-venv)
	cargo build --package switchboard
	core/tests/zconfig/run --cases 20000 --seeds $(ZCONFIG_SEEDS)
	core/tests/zconfig/datatypes.py --words 20000 --seeds $(ZCONFIG_SEEDS)

# The peers are a workspace of their own, so that nothing else builds them.
BENCH := cargo run --release --manifest-path core/bench/Cargo.toml --target-dir target/bench --bin bench --

bench: benched ## measure echo, memory, broadcast, opening and deflate beside raw TCP and other engines
	$(BENCH)

performance: benched ## the same, and write docs/performance.md and its plot
	$(BENCH) --write

benched: tools
	cargo build --release --package switchboard --package switchboard-plugin-echo
	cargo build --release --manifest-path core/bench/Cargo.toml --target-dir target/bench

idle: tools ## measure memory and CPU with 10,000 idle connections, and what frames cost that they only declare
	cargo build --release --package switchboard $(PLUGINS:%=--package switchboard-plugin-%)
	cargo bench --package switchboard --bench idle
	@echo "what the same number costs when each has declared a frame of 1 GiB:"
	DECLARED_CONNECTIONS=10000 cargo test --package switchboard --test it a_declared_gibibyte -- --nocapture

instructions: tools ## count the codec's instructions with valgrind, and check that time is linear
	@command -v valgrind >/dev/null || $(call install,valgrind)
	cargo bench --package switchboard-websocket --bench instructions

crowd: tools target/release/crowd ## measure what 500 connections that do not read cost 4,500 others
	cargo build --release --package switchboard
	cargo bench --package switchboard --bench crowd

target/release/crowd: core/benches/crowd/crowd.cpp $(wildcard sdk/cpp/include/switchboard/*) | tools
	@mkdir -p $(@D)
	c++ -std=c++17 -O2 -pthread -I sdk/cpp/include -o $@ $<

soak: tools target/release/echo-cpp ## 2,000 clients of all manners for SOAK_SECONDS (default 1200), every byte checked
	cargo build --release --package switchboard --package switchboard-plugin-echo
	cargo bench --package switchboard --bench soak

target/release/echo-cpp: examples/echo-cpp/echo.cpp $(wildcard sdk/cpp/include/switchboard/*) | tools
	@mkdir -p $(@D)
	c++ -std=c++17 -O2 -pthread -I sdk/cpp/include -o $@ $<

fuzz: tools ## random bytes for each parser, FUZZ_SECONDS each (default 600)
	@command -v cargo-fuzz >/dev/null || { echo "installing cargo-fuzz with cargo install"; cargo install --locked cargo-fuzz; }
	@command -v c++ >/dev/null || $(call install,build-essential)
	@# Without a sanitizer, as the one that is the default needs a nightly compiler. What is found
	@# goes to target/fuzz; what is worth keeping is copied into the corpus by hand.
	@for target in $(FUZZED); do \
	  mkdir -p target/fuzz/$$target && \
	  cargo fuzz run --fuzz-dir core/fuzz --sanitizer none $$target target/fuzz/$$target core/fuzz/corpus/$$target \
	    -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 || exit 1; \
	done

doc: tools ## the Rust documentation, in target/doc
	cargo doc --workspace --no-deps

clean: ## remove everything that was built or installed into the checkout
	cargo clean
	rm -rf $(FEED) var/plugins core/tests/browser/node_modules core/tests/clients/node_modules

tools:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it as https://rustup.rs says, then run make again"; exit 1; }
	@{ command -v cc && command -v c++; } >/dev/null || $(call install,build-essential)

# As root, or by sudo.
install = { \
  echo "installing with apt-get: $(1)"; \
  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); }

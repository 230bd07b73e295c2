# What a person and CI run. `make test` sets itself up.
PREFIX ?= /usr/local
SHELL := /bin/bash

.PHONY: all test lint setup bench install clean
all:
	cargo rustc --profile dist --locked --bin credsh -- -C target-feature=+crt-static

setup:
	@tests/setup.sh

# The lint first, as it is quick; then every test, against the program as it is built for debugging.
test: setup lint
	@# More threads than cores, as most tests wait for a shell or for credentials to age.
	cargo test --locked -- --test-threads 6

lint: setup
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	shellcheck shell/credsh.bash tests/setup.sh .ci/run
	shellcheck -s sh shell/publish_temporary_credentials.sh
	bash -n shell/credsh.bash && zsh -n shell/credsh.zsh && fish -n shell/credsh.fish
	for sh in bash zsh dash ksh93 mksh 'busybox ash' yash; do $$sh -n shell/publish_temporary_credentials.sh || exit 1; done
	fish -n shell/publish_temporary_credentials.fish

# Side by side in one run: see tests/bench.
bench: setup all
	python3 tests/bench/run.py

install: all
	install -D -m 755 target/dist/credsh $(DESTDIR)$(PREFIX)/bin/credsh
	install -D -m 644 completions/credsh.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/credsh
	install -D -m 644 completions/_credsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_credsh
	install -D -m 644 completions/credsh.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/credsh.fish

clean:
	cargo clean

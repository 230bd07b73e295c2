# What a person and CI run. `make test` sets itself up.
PREFIX ?= /usr/local
SHELL := /bin/bash
DENY := target/tools/cargo-deny-0.20.2
FUZZ := target/tools/cargo-fuzz-0.13.2
# How long each target is fuzzed.
unexport SECONDS
SECONDS ?= 600
# Of Debian. Whose shells `make shells` tests with: forky's, or bullseye's.
SUITE ?= forky
# What is of a shell, and of its version: no more, as each is run again.
SHELL_TESTS := background fault_shells forms gone guest hooks inherited injection install manners more_shells neighbours prompt prompt_tools quiet \
  script script_arguments script_guest shadows standard_names switch until

.PHONY: all test lint fuzz deny audit setup shells soak bench install clean
all:
	cargo rustc --profile dist --locked --bin credsh -- -C target-feature=+crt-static

setup:
	@tests/setup.sh

# The lint first, as it is quick; then every test, against the program as it is built for debugging.
test: setup lint
	@# More threads than cores, as most tests wait for a shell or for credentials to age. All of them, whatever fails first.
	cargo test --locked --no-fail-fast -- --test-threads 6
	@((EUID == 0)) || echo 'test: NOT ALL: without root nothing that takes a second user was looked at (tests/trust.rs, store.rs, container.rs)'

lint: setup
	cargo fmt --check && cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	shellcheck shell/credsh.bash tests/setup.sh tests/shells.sh tests/fuzz/run.sh .ci/run
	shellcheck -s sh shell/publish_temporary_credentials.sh
	bash -n shell/credsh.bash && zsh -n shell/credsh.zsh && fish -n shell/credsh.fish
	@# nu reports, and succeeds; elvish knows `edit:` only where somebody types; xonsh's is Python, once the words are in it.
	! target/npm/nu --no-config-file --ide-check 10 shell/credsh.nu | grep '"severity"'
	{ echo 'var edit: = (ns [&])'; cat shell/credsh.elv; } >target/lint.elv && elvish -compileonly target/lint.elv
	sed 's/@CREDSH@//' shell/credsh.xsh | python3 -c 'import sys; compile(sys.stdin.read(), "shell/credsh.xsh", "exec")'
	@# No PowerShell is to be had; whether it is PowerShell's grammar, a parser tells.
	sed 's/@CREDSH@/words/' shell/credsh.ps1 | target/venv/bin/python3 -c 'import sys, tree_sitter as t, tree_sitter_powershell as p; sys.exit(t.Parser(t.Language(p.language())).parse(sys.stdin.buffer.read()).root_node.has_error)'
	for sh in bash zsh dash ksh93 mksh 'busybox ash' yash; do $$sh -n shell/publish_temporary_credentials.sh || exit 1; done
	fish -n shell/publish_temporary_credentials.fish

# The same with other shells than this system's: from testing Debian bash 5.3, zsh 5.9.2, fish 4, elvish 0.21 and ble.sh, or from what
# was (SUITE=bullseye) bash 5.1 and zsh 5.8. Not a part of `make test`, nor of CI, as those of testing are others every month:
# for who changes a hook, and before a release.
shells: setup
	@# ble.sh is forky's in any case.
	tests/shells.sh forky && tests/shells.sh $(SUITE)
	PATH="$$PWD/target/shells/$(SUITE)/bin:$$PATH" cargo test --locked --no-fail-fast $(SHELL_TESTS:%=--test %) -- --test-threads 6 --include-ignored

# Looks for inputs that break what tests/fuzz asserts. Not a part of `make test`: its dependencies are built once more, with
# the fuzzer's eyes in them, which is two minutes of processor time. CI does it, for seconds.
fuzz: setup $(FUZZ)/bin/cargo-fuzz
	PATH="$$PWD/$(FUZZ)/bin:$$PATH" tests/fuzz/run.sh $(SECONDS)

$(FUZZ)/bin/cargo-fuzz:
	cargo install --quiet --locked --debug --root $(FUZZ) cargo-fuzz@$(lastword $(subst -, ,$(FUZZ)))

# What may come in with a dependency (deny.toml). Two seconds, but not a part of `make test`: to install the program takes a
# minute and a half of processor time, and was seen to take five minutes beside other work. CI runs it; and that there is
# one stack for the network is tested from Cargo.lock alone (tests/house.rs).
deny: $(DENY)/bin/cargo-deny
	$< --locked check bans licenses sources

# Apart from the tests, as its answer changes with the day, and as the RustSec database lives on a git host that not every
# machine can reach. That is then said, and is a failure: nothing was looked up.
audit: $(DENY)/bin/cargo-deny
	@$< fetch db || { echo 'audit: NOT DONE: the RustSec advisory database cannot be had from here' >&2; exit 1; }
	$< --locked check --disable-fetch advisories

# Quickly built, as it runs for a second.
$(DENY)/bin/cargo-deny:
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  cargo install --quiet --locked --root $(DENY) cargo-deny@$(lastword $(subst -, ,$(DENY)))

# Half an hour of what `make test` does for two minutes.
soak: setup
	cargo test --locked --test soak -- --ignored --nocapture

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

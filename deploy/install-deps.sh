#!/bin/bash
# install-deps.sh [--list | --unpack FOLDER [PACKAGE] | vm FOLDER | compose FOLDER] - the Debian 12 packages that sixpn is built, tested and shown with. The only place that
# installs any. Quick when nothing is missing. Prints what it will install and how much that is before it does. With --unpack it installs
# nothing, but puts PACKAGE, or all that benchmarks compare with, into FOLDER: installed, those would start daemons of their own, and
# openresolv, which customers' machines of the demo have, would look after this machine's resolv.conf.
# `vm` installs what `make test-vm` needs and unpacks kernels into FOLDER: installed, the next boot of this machine might take one.
# `compose` installs what `make compose-test` needs and unpacks a Docker engine into FOLDER: installed, it would start, and change this
# machine's firewall.
set -euo pipefail

build=(
	build-essential pkg-config git python3
	clang-14 llvm-14 libclang-rt-14-dev bpftool libbpf-dev libelf-dev zlib1g-dev linux-libc-dev # BPF programs, fuzzers
	protobuf-c-compiler protobuf-compiler libprotobuf-c-dev                                     # the wire format
	libnng-dev libsqlite3-dev libsodium-dev libssl-dev                                          # link, store, keys, BLAKE2s
	libmnl-dev libnftables-dev libmicrohttpd-dev libgnutls28-dev libjansson-dev libcurl4-openssl-dev libinih-dev
	liburcu-dev libldns-dev libqrencode-dev
)
run=(
	wireguard-go wireguard-tools iproute2 util-linux procps nftables
)
tests=(
	libcmocka-dev tcpdump iputils-ping iptables bind9-dnsutils curl socat sqlite3 libc-bin netcat-openbsd
)
peers=(nsd libevent-2.1-7 libfstrm0 etcd-server) # `make bench`: NSD, the two libraries that are not here already, and etcd
vm=(qemu-system-x86 busybox-static xz-utils)
kernels=(linux-image-cloud-amd64 linux-image-6.12-cloud-amd64) # each stands for the newest of Debian 12's own, and of its newer line
compose=(docker-compose debootstrap wget tar libdevmapper1.02.1) # the last is of the engine
engine=(docker.io containerd runc tini)
tools=(clang-format-14 clang-tidy-14)

wanted=("${build[@]}" "${run[@]}" "${tests[@]}")
[ "${WITH_TOOLS:-}" ] && wanted+=("${tools[@]}")
if [ "${1:-}" = --list ]; then
	printf '%s\n' "${wanted[@]}"
	exit 0
fi

unpack() { # FOLDER PACKAGE...
	local folder=$1
	shift
	packages=$(mktemp -d)
	trap 'rm -rf "$packages"' EXIT
	chmod 755 "$packages"
	(cd "$packages" && apt-get download -q "$@" >/dev/null 2>&1) || { # the lists may be old
		apt-get update -q >/dev/null 2>&1 && (cd "$packages" && apt-get download -q "$@" >/dev/null 2>&1)
	} || {
		echo "install-deps: cannot download $*" >&2
		return 1
	}
	for package in "$packages"/*.deb; do
		dpkg-deb -x "$package" "$folder"
	done
}

if [ "${1:-}" = --unpack ]; then
	[ -z "${3:-}" ] || peers=("$3")
	unpack "$2" "${peers[@]}"
	exit 0
fi

# The newest of each; one that is there already stays. What cannot be had is said, and left to the tests to skip.
unpack_kernels() {
	local folder=$1 line name packages
	apt-cache depends "${kernels[0]}" 2>/dev/null | grep -q Depends: || apt-get update -q >/dev/null 2>&1 || true
	mkdir -p "$folder"
	for line in "${kernels[@]}"; do
		[ -e "$folder/$line/boot" ] && continue
		name=$(apt-cache depends "$line" 2>/dev/null | awk '$1 == "Depends:" {print $2; exit}')
		if [ -z "$name" ]; then
			echo "install-deps: the package lists know no $line"
			continue
		fi
		packages=$(mktemp -d)
		chmod 755 "$packages"
		if (cd "$packages" && apt-get download -q "$name" >/dev/null 2>&1); then
			dpkg-deb -x "$packages"/*.deb "$folder/$line.part" && mv "$folder/$line.part" "$folder/$line"
		else
			echo "install-deps: cannot download $name"
		fi
		rm -rf "$packages"
	done
}

if [ "${1:-}" = vm ]; then
	[ -n "${2:-}" ] || { echo "install-deps: vm needs the folder for the kernels" >&2; exit 2; }
	wanted=("${vm[@]}")
fi

# The folder is there only if all of the engine is in it.
unpack_engine() {
	[ ! -e "$1" ] && [ "$(id -u)" = 0 ] || return 0
	rm -rf "$1.part"
	mkdir -p "$1.part"
	echo "install-deps: will unpack into $1, without installing: ${engine[*]}"
	unpack "$1.part" "${engine[@]}" && mv "$1.part" "$1" || true # the test says that it is missing
}

if [ "${1:-}" = compose ]; then
	[ -n "${2:-}" ] || { echo "install-deps: compose needs the folder for the engine" >&2; exit 2; }
	wanted=("${compose[@]}")
	unpack_engine "$2"
fi

missing=()
have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null | awk '$1 == "ii" {print $2}' || true)
for package in "${wanted[@]}"; do
	grep -qx -- "$package" <<<"$have" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
	[ "${1:-}" != vm ] || unpack_kernels "$2"
	exit 0
fi

if [ "$(id -u)" != 0 ]; then
	case "${1:-}" in vm | compose) exit 0 ;; esac # the tests say what is missing
	echo "install-deps: these packages are missing and only root can install them: ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if ! apt-get install -s --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
	apt-get update -q
fi
echo "install-deps: will install ${#missing[@]} packages and what they need:"
printf '  %s\n' "${missing[*]}" | fold -s -w 110
apt-get install --no-install-recommends --assume-no "${missing[@]}" 2>/dev/null | grep -E 'newly installed|Need to get|disk space' || true
apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null || [ "${1:-}" = compose ] # as above
[ "${1:-}" != vm ] || unpack_kernels "$2"

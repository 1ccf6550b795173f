#!/bin/bash
# fuzz-all.sh SECONDS SEED TARGET... - runs every fuzz target for that long, two at a time, each on a corpus of its own that grows over
# runs. SEED 0 = another one each time: that explores. A gate wants to say the same of the same code, so make test names one.
# What a target found is shown with the input that repeats it; exit 1 if any found something.
seconds=$1
seed=$2
shift 2
if [ $# = 0 ]; then
	echo "no fuzz target there" >&2
	exit 2
fi
one() {
	mkdir -p "$1.corpus"
	if "$1" -max_total_time="$seconds" -seed="$seed" -max_len=4096 -artifact_prefix="$1-" "$1.corpus" >"$1.out" 2>&1; then
		echo "$(basename "$1") $(grep -aoE '^Done [0-9]+ runs' "$1.out" | tail -1)"
	else
		tail -40 "$1.out"
		echo "FOUND by $1"
		return 1
	fi
}
export -f one
export seconds seed
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one {}'

#!/bin/bash
# run.sh SIM SEEDS - seeds 1 to SEEDS (from FROM on; or as many as MINUTES allow) in one process per core. Ends with the first that
# finds something, and says how to see it again.
set -u
sim=$1 seeds=$2 from=${FROM:-1} n=$(nproc)
dir=$(mktemp -d) pids=()
trap 'rm -rf "$dir"' EXIT
for ((i = 0; i < n; i++)); do
	"$sim" $((from + i)) $(((seeds - i + n - 1) / n)) "$n" >"$dir/$i.out" 2>"$dir/$i.err" &
	pids+=($!)
done
left=$n code=0
while ((left > 0)); do
	wait -n || { code=1; break; }
	left=$((left - 1))
done
if ((code)); then
	kill "${pids[@]}" 2>/dev/null
	wait
	cat "$dir"/*.err >&2
	exit 1
fi
wait
cat "$dir"/*.out

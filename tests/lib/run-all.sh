#!/bin/bash
# run-all.sh TEST... - runs every unit test, as many at once as there are processors and one more (many wait for real deadlines); says in
# a line how each went and what it skipped and why; the output of those that failed follows, with the command that runs one again.
# Exit 1 if any failed.
if [ $# = 0 ]; then
	echo "no test of that name" >&2 # a proof that runs nothing proves nothing
	exit 2
fi
one() {
	local test=$1 started=$(date +%s%N) status skips
	rm -f "$test.failed"
	"$test" >"$test.out" 2>&1
	status=$?
	skips=$(grep -ahE 'SKIP[ :]' "$test.out" | sed 's/^ */\n    /' | tr -d '\r')
	[ $status = 0 ] || echo "$status" >"$test.failed"
	printf '%-44s %s  %d ms%s\n' "${test#*/unit/}" "$([ $status = 0 ] && echo ok || echo "FAILED ($status)")" \
		$((($(date +%s%N) - started) / 1000000)) "$skips"
}
export -f one
printf '%s\0' "$@" | xargs -0 -P $(($(nproc) + 1)) -I{} bash -c 'one "$1"' one {}
failed=0
for test in "$@"; do
	[ -e "$test.out" ] && ! [ -e "$test.failed" ] && continue
	failed=1
	echo "---- $test"
	tail -60 "$test.out"
	echo "again: make test-unit T=$(basename "$test" | sed s/^test_//)"
done
exit $failed

#!/bin/bash
# run-all.sh TEST... - runs every unit test, as many at once as there are processors and one more (many wait for real deadlines); says in
# a line how each went and what it skipped and why; the output of those that failed follows, with the command that runs one again.
# A test that failed beside others runs once more, alone, and what both runs said is printed: docs/decisions/0034. STRICT=1: it does not.
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
failed=0 again=()
for test in "$@"; do
	[ -e "$test.out" ] && ! [ -e "$test.failed" ] && continue
	echo "---- $test"
	tail -60 "$test.out"
	if [ -z "$STRICT" ] && [ $# != 1 ]; then
		again+=("$test")
		one "$test"
		[ -e "$test.failed" ] || continue
		tail -60 "$test.out"
	fi
	failed=1
	echo "again: make test-unit T=$(basename "$test" | sed s/^test_//)"
done
[ ${#again[@]} = 0 ] || echo "FLAKY, failed beside others and ran again alone: ${again[*]#*/unit/}"
[ ${#again[@]} -le 3 ] || failed=1 # so many are no accident
exit $failed

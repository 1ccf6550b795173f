#!/bin/bash
# run-all.sh TEST... - runs every unit test, says in a line how each went and what it skipped and why; the output of those that
# failed follows, with the command that runs one again. Exit 1 if any failed.
if [ $# = 0 ]; then
	echo "no test of that name" >&2 # a proof that runs nothing proves nothing
	exit 2
fi
failed=()
for test in "$@"; do
	started=$(date +%s%N)
	"$test" >"$test.out" 2>&1
	status=$?
	printf '%-44s %s  %d ms\n' "${test#*/unit/}" "$(if [ $status = 0 ]; then echo ok; else echo FAILED; fi)" $((($(date +%s%N) - started) / 1000000))
	grep -hE 'SKIP[ :]' "$test.out" | sed 's/^ */    /'
	[ $status = 0 ] || failed+=("$test")
done
for test in "${failed[@]}"; do
	echo "---- $test"
	tail -60 "$test.out"
	echo "again: make test-unit T=$(basename "$test" | sed s/^test_//)"
done
[ ${#failed[@]} = 0 ]

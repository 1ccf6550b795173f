#!/bin/sh
# Prints a C file that holds the .sql files given as arguments, in their order, as string literals.
set -eu
echo '#include "controller/store/store_migration.h"'
echo
echo 'const struct store_migration store_migrations[] = {'
for file in "$@"; do
	printf '\t{ "%s",\n' "$(basename "$file")"
	# Comments stay out: a literal of C may be 4095 bytes for old compilers, and the database needs none.
	sed -e 's/--.*$//' -e 's/[[:space:]]*$//' -e '/^$/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/\t  "/' -e 's/$/\\n"/' "$file"
	printf '\t},\n'
done
echo '};'
echo 'const size_t store_n_migrations = sizeof store_migrations / sizeof store_migrations[0];'

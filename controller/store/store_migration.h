/* store_migration - the schema/ files as the build embedded them, in order. The version of a schema is how many were applied. */
#pragma once
#include <stddef.h>

struct store_migration {
	const char *name; /* "0001_first.sql" */
	const char *sql;
};
extern const struct store_migration store_migrations[];
extern const size_t store_n_migrations;

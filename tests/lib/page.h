/* page - a reference page holds what the code says, word for word; for unit tests (they run from the top of the tree). */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/file.h"

#include <stdio.h>
#include <string.h>

/* No name is in the table twice. */
static inline void assert_rows_differ(struct buf *table)
{
	for (const char *row = buf_str(table); *row; row += strcspn(row, "\n"), row += *row == '\n') {
		char name[128];

		snprintf(name, sizeof name, "\n%.*s|", (int)strcspn(row + 1, "|") + 1, row);
		if (row[2] == '`' && strstr(row + 1, name))
			fail_msg("twice: %s", name);
	}
}

static inline void assert_page_holds(const char *path, struct buf *table, const char *command)
{
	CLEAN_BUF struct buf page = BUF_INIT(1 << 20);

	assert_rows_differ(table);
	assert_int_equal(file_read(path, 1 << 20, &page), 0);
	if (!strstr(buf_str(&page), buf_str(table)))
		fail_msg("%s differs from the code: %s", path, command);
}

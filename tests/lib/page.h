/* page - a reference page holds what the code says, word for word; for unit tests (they run from the top of the tree). */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/file.h"

#include <string.h>

static inline void assert_page_holds(const char *path, struct buf *table, const char *command)
{
	CLEAN_BUF struct buf page = BUF_INIT(1 << 20);

	assert_int_equal(file_read(path, 1 << 20, &page), 0);
	if (!strstr(buf_str(&page), buf_str(table)))
		fail_msg("%s differs from the code: %s", path, command);
}

/* Reports of instances: what any host can send. */
#include "controller/nodes/report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_report *reports = NULL;
	struct why why;
	size_t n = 0, n_bad;

	if (report_read(data, size, &reports, &n, &n_bad, &why) == 0)
		for (size_t i = 0; i < n; i++)
			if (name_check_instance_id(reports[i].id, NULL) || reports[i].observed.state > STATE_DESTROYED)
				abort();
	free(reports);
	return 0;
}

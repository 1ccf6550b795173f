/* Reports of instances and peers: what any node can send. */
#include "controller/nodes/report.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report_read in;
	struct addr_endpoint endpoint;
	struct why why;

	if (report_read(data, size, &in, &why) != 0)
		return 0;
	for (size_t i = 0; i < in.n; i++)
		if (name_check_instance_id(in.reports[i].id, NULL) || in.reports[i].observed.state > STATE_DESTROYED)
			abort();
	for (size_t i = 0; i < in.n_seen; i++)
		if (in.seen[i].endpoint[0] && addr_endpoint_parse(in.seen[i].endpoint, &endpoint, NULL))
			abort();
	report_deinit(&in);
	return 0;
}

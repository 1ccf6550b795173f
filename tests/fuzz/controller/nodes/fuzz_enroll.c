/* Wishes to become a node: what anybody who knows the controller's key can send. */
#include "controller/nodes/enroll.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct enroll_request request;
	struct why why;

	if (enroll_read(data, size, &request, &why) == 0 &&
	    (!request.in.roles || request.in.n_endpoints > RECORD_ENDPOINTS_MAX || strlen(request.secret) >= sizeof request.secret ||
	     (request.name[0] && name_check_node(request.name, NULL))))
		abort();
	return 0;
}

/* The door for records: envelope, then the body of whatever kind it says. */
#include "lib/sixpn/record.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		struct region_record region;
		struct node_record node;
		struct network_record network;
		struct app_record app;
		struct instance_record instance;
		struct workload_record workload;
		struct peer_record peer;
		struct peer_key_record peer_key;
		struct rule_record rule;
		struct far_instance_record far_instance;
		struct flycast_record flycast;
	} u;
	struct record r;
	struct why why;
	int e;

	if (record_decode(data, size, &r, &why) != 0)
		return 0;
	e = region_decode(&r, &u.region, &why) && node_decode(&r, &u.node, &why) && network_decode(&r, &u.network, &why) &&
	    app_decode(&r, &u.app, &why) && instance_decode(&r, &u.instance, &why) && workload_decode(&r, &u.workload, &why) &&
	    peer_decode(&r, &u.peer, &why) && peer_key_decode(&r, &u.peer_key, &why) &&
	    rule_decode(&r, &u.rule, &why) && far_instance_decode(&r, &u.far_instance, &why) &&
	    flycast_decode(&r, &u.flycast, &why);
	return e & 0;
}

/* reports - what the roles saw: of instances, kept until the controller's record says the same (level, not edge), and of peers. One
 * report is in flight at a time, with the newest truth of each instance. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/loop.h"
#include "lib/link/client.h"
#include "node/replica.h"
#include "node/role.h"

struct reports;

int reports_new(struct loop *loop, const struct clock *clock, struct link_client *link, struct replica *replica, struct reports **ret_reports);
struct reports *reports_free(struct reports *r);
/* The truth about an instance of ours. Returns true if it differs from what was said before. */
bool reports_set(struct reports *r, const char *instance_id, const struct observed *truth);
/* Our own truth, for our own DNS; NULL if the role has said nothing. */
const struct observed *reports_get(const struct reports *r, const char *instance_id);
/* What was seen of a peer of ours (peer_reports.h): it goes with the next report. */
void reports_set_peer(struct reports *r, const struct role_peer_stats *stats);
/* Compare with the records and send what differs: after each change of either. */
void reports_send(struct reports *r);
size_t reports_waiting(const struct reports *r); /* that differ now */

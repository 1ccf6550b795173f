/* peer_reports - what the gateway role saw of its peers, on its way to the controller: the newest of each, in the order in which they
 * changed, a few hundred in a report. Nothing of it is a record: what is lost with a controller is said again to the next one. */
#pragma once
#include "node/replica.h"
#include "node/role.h"

#define PEER_REPORTS_MAX 512 /* in one report */

struct Sixpn__ReportRequest;
struct peer_reports;

int peer_reports_new(const struct replica *replica, struct peer_reports **ret);
struct peer_reports *peer_reports_free(struct peer_reports *p);
/* Without memory it is lost until it changes again. */
void peer_reports_set(struct peer_reports *p, const struct role_peer_stats *stats);
/* Puts what is due into the report, valid until the next call; how many. They fly until peer_reports_landed. */
size_t peer_reports_fill(struct peer_reports *p, struct Sixpn__ReportRequest *report);
/* arrived false: all of them are due again, unless something newer is. */
void peer_reports_landed(struct peer_reports *p, bool arrived);
size_t peer_reports_waiting(const struct peer_reports *p);

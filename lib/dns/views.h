/* views - which network sees which zone: a hash that one thread writes and name server threads read under QSBR (liburcu).
 *
 * Writer: exactly one thread calls replace, remove and set_synced; it never waits for readers, old zones are freed behind its
 * back once every reader has moved on. Readers register, and find only between online and offline; a zone found is valid until
 * the reader's next dns_views_offline(). */
#pragma once
#include "lib/base/clock.h"
#include "lib/dns/freshness.h"

struct dns_views;
int dns_views_new(struct dns_views **ret_views) MUST_CHECK;
/* No reader may be registered any more. Waits until all that was replaced is freed. NULL is fine; returns NULL. */
struct dns_views *dns_views_free(struct dns_views *v);

/* Takes the zone over, and shows it in place of the one its network had. -ENOMEM: the zone stays the caller's, nothing changed. */
int dns_views_replace(struct dns_views *v, struct dns_zone *zone) MUST_CHECK;
bool dns_views_remove(struct dns_views *v, uint32_t network); /* false: there was none */
/* Until the first sync a question that has no zone is not a sign of anything (DESIGN 9). */
void dns_views_set_synced(struct dns_views *v, bool synced);
bool dns_views_synced(const struct dns_views *v);
/* How old the knowledge is, for all networks: when the controller was last heard, and whether it can be heard now. Writer only;
 * readers compute the age when they answer. DNS_NEVER_HEARD; monotonic milliseconds, also those before this machine's start. */
#define DNS_NEVER_HEARD INT64_MIN
void dns_views_set_heard(struct dns_views *v, int64_t heard_ms, bool controller, uint32_t patience_ms);
struct dns_freshness dns_views_freshness(const struct dns_views *v);
void dns_views_set_clock(struct dns_views *v, const struct clock *clock); /* before any reader; default: the real one */
size_t dns_views_count(const struct dns_views *v); /* networks; writer only */

void dns_views_reader_start(void); /* this thread; starts offline */
void dns_views_reader_stop(void);
void dns_views_online(void);
void dns_views_offline(void); /* holds nothing; may block as long as it likes */
const struct dns_zone *dns_views_find(const struct dns_views *v, uint32_t network); /* NULL: none */

/* connections - see connections.h. Closing is a shutdown of the socket: libmicrohttpd reads the end, and tells us when it has let go. */
#include "controller/http/connections.h"

#include "controller/http/certificate.h"

#include <malloc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 500u
#define CROWD 1000u
#define NO_DEADLINE UINT64_MAX

struct http_source {
	uint8_t group[16]; /* the key in the map */
	size_t n;
};

bool http_source_of(const struct sockaddr *address, uint8_t ret_source[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(ret_source, 0, 16);
	if (address && address->sa_family == AF_INET6) {
		memcpy(ret_source, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
		return true;
	}
	if (!address || address->sa_family != AF_INET)
		return false;
	memcpy(ret_source, mapped, sizeof mapped);
	memcpy(ret_source + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	return true;
}

void http_source_group(const uint8_t source[16], uint8_t ret_group[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(ret_group, source, 16);
	if (memcmp(source, mapped, sizeof mapped))
		memset(ret_group + 8, 0, 8);
}

static void close_it(struct http_connection *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->deadline_ms = NO_DEADLINE;
}

/* The C library keeps what a crowd took for the next one, which may never come. */
static void give_back(struct http_connections *set)
{
	if (set->peak <= CROWD || set->n > set->peak / 32)
		return;
	set->peak = set->n;
	malloc_trim(0);
}

static void sweep(struct loop_timer *timer)
{
	struct http_connections *set = container_of(timer, struct http_connections, sweep);
	uint64_t now = loop_now_ms(set->loop);

	for (struct http_connection *c = set->all; c; c = c->next)
		if (c->deadline_ms <= now) {
			set->counts.late++;
			c->late = true;
			close_it(c);
		}
	give_back(set);
	if (set->all || set->peak > CROWD)
		loop_set_timer_in(set->loop, &set->sweep, SWEEP_MS);
}

void http_connections_init(struct http_connections *set, struct loop *loop, size_t max, size_t max_per_source)
{
	*set = (struct http_connections){ .loop = loop, .max = max, .max_per_source = max_per_source,
					  .max_greeting = max / 10 + 1, .sweep.expired = sweep };
}

void http_connections_deinit(struct http_connections *set)
{
	struct http_source *s;

	loop_cancel_timer(&set->sweep);
	for (size_t i = 0; (s = map_next(&set->sources, &i));)
		free(s);
	map_deinit(&set->sources);
}

/* ---- sources ---- */

bool http_connections_may_come(struct http_connections *set, const uint8_t source[16])
{
	const struct http_source *s;
	uint8_t group[16];

	http_source_group(source, group);
	s = map_get(&set->sources, group, sizeof group);
	if (!s || s->n < set->max_per_source)
		return true;
	set->counts.refused++;
	return false;
}

static struct http_source *count_source(struct http_connections *set, const uint8_t source[16])
{
	struct http_source *s;
	uint8_t group[16];

	http_source_group(source, group);
	s = map_get(&set->sources, group, sizeof group);
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return NULL;
		memcpy(s->group, group, sizeof group);
		if (map_set(&set->sources, s->group, sizeof s->group, s, NULL) < 0) {
			free(s);
			return NULL;
		}
	}
	s->n++;
	return s;
}

static void uncount_source(struct http_connections *set, struct http_source *s)
{
	if (s && --s->n == 0)
		free(map_remove(&set->sources, s->group, sizeof s->group));
}

/* ---- those that wait ---- */

static void unlink_waiting(struct http_connections *set, struct http_connection *c)
{
	if (!c->waits)
		return;
	c->waits = false;
	*(c->older ? &c->older->newer : &set->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &set->newest) = c->older;
}

static void link_waiting(struct http_connections *set, struct http_connection *c)
{
	c->waits = true;
	c->newer = NULL;
	c->older = set->newest;
	*(set->newest ? &set->newest->newer : &set->oldest) = c;
	set->newest = c;
}

void http_connection_waits(struct http_connections *set, struct http_connection *c, uint64_t ms)
{
	unlink_waiting(set, c);
	if (!c->local)
		link_waiting(set, c);
	c->deadline_ms = loop_now_ms(set->loop) + ms;
}

static void stop_greeting(struct http_connections *set, struct http_connection *c)
{
	set->greeting -= c->greets;
	c->greets = false;
}

/* It may be more than the handshakes that there can be: then the oldest of them goes. */
void http_connection_greets(struct http_connections *set, struct http_connection *c)
{
	struct http_connection *i = set->oldest;

	c->greets = true;
	if (++set->greeting <= set->max_greeting)
		return;
	while (i && !i->greets)
		i = i->newer;
	if (!i)
		return;
	stop_greeting(set, i);
	unlink_waiting(set, i);
	set->counts.evicted++;
	close_it(i);
}

void http_connection_works(struct http_connections *set, struct http_connection *c, uint64_t ms)
{
	stop_greeting(set, c);
	unlink_waiting(set, c);
	c->deadline_ms = ms ? loop_now_ms(set->loop) + ms : NO_DEADLINE;
}

void http_connection_reads(struct http_connections *set, struct http_connection *c, uint64_t ms)
{
	stop_greeting(set, c);
	http_connection_waits(set, c, ms);
}

static void make_room(struct http_connections *set)
{
	struct http_connection *c = set->oldest;

	if (set->n <= set->max || !c)
		return;
	unlink_waiting(set, c);
	set->counts.evicted++;
	close_it(c);
}

struct http_connection *http_connections_add(struct http_connections *set, int fd, const uint8_t *source, uint64_t wait_ms)
{
	struct http_connection *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->fd = fd;
	c->local = !source;
	if (source) {
		memcpy(c->source, source, sizeof c->source);
		c->counted = count_source(set, source);
		set->n++;
		set->peak = set->n > set->peak ? set->n : set->peak;
	}
	c->next = set->all;
	c->link = &set->all;
	if (c->next)
		c->next->link = &c->next;
	set->all = c;
	http_connection_waits(set, c, wait_ms);
	make_room(set);
	if (!set->sweep.slot)
		loop_set_timer_in(set->loop, &set->sweep, SWEEP_MS);
	return c;
}

void http_connections_remove(struct http_connections *set, struct http_connection *c)
{
	stop_greeting(set, c);
	unlink_waiting(set, c);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	if (!c->local) {
		uncount_source(set, c->counted);
		set->n--;
	}
	certificate_unref(c->certificate);
	free(c);
}

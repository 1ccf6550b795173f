/* tcp_listener - one address at which connections are accepted for tcp.h: fdaa::3, or one of thousands of fdaa:<network>::3. Who comes to
 * a network's address from elsewhere is cut off without a word. */
#pragma once
#include "lib/dns/tcp.h"

struct dns_tcp_listener {
	struct dns_tcp *tcp; /* NULL = nobody accepts yet */
	struct in6_addr address;
	enum dns_listener kind;
	struct loop_io io;      /* fd -1 = not open */
	struct loop_timer rest; /* while there are no descriptors */
};

/* Binds and listens: the kernel takes connections, which wait. The address of a network may come later (IPV6_FREEBIND). *ret_listener is
 * untouched by a failure. */
int dns_tcp_open(const struct in6_addr *address, uint16_t port, enum dns_listener kind, struct dns_tcp_listener *ret_listener,
		 struct why *why) MUST_CHECK;
/* Accepts from now on, until unlisten: in the thread of tcp's loop, or before it runs. It stays where it is in memory. */
int dns_tcp_listen(struct dns_tcp_listener *l, struct dns_tcp *t) MUST_CHECK;
void dns_tcp_unlisten(struct dns_tcp_listener *l); /* closes it and its connections; not open: nothing */

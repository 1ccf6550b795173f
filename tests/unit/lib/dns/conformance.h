/* conformance - runs the rows of test_conformance.c against a real server, at fdaa::3 and at the ::3 of the asker's network, and tells in
 * one line what came back:
 *
 *   RCODE [opN] flags qd/an/ns/ar  answers  authorities  [opt SIZE [do] [keepalive=N] [ede=N TEXT]]
 *
 * Flags: aa tc rd ra z ad cd. Answers: type and rdata; of long TXT and of many AAAA a summary. Authorities: "SOA owner ttl min MINIMUM".
 * What must hold of every answer is checked beside: id, opcode, size, the question octet by octet, TTLs, owners, an OPT only if asked. */
#pragma once
#include "tests/unit/lib/dns/live.h"

#include "lib/dns/server.h"

#include <netinet/tcp.h>

#define OTHERS "fdaa:ab:cdef:a111:1:7:7777:2"
#define ZONELESS "fdaa:5555:5555:a111:1:7:7777:2"
#define ZONELESS_NET 0x55555555u
#define IDLE_MS 2000

enum by { UDP = 1, TCP = 2, BOTH = 3 };

struct row {
	const char *says;
	enum by by;
	const uint8_t *query;
	size_t len;
	const char *answer;
	const char *source; /* NULL = ours */
};

#define DROPPED "nothing"
#define ROW(says_, by_, bytes_, answer_, ...)                                                                \
	{ .says = says_, .by = by_, .query = (const uint8_t *)(bytes_), .len = sizeof(bytes_) - 1, .answer = answer_, __VA_ARGS__ }

static struct dns_views *views;
static struct dns_server *server;
static bool at_networks; /* asks at fdaa:<network>::3 */

/* -- the server: NET has shop, crowd (200), four (22), fifty (50), wide (16 in 16 regions), an app of 63 letters (16), idle (stopped),
 *    empty, and the peers laptop and asleep (suspended); OTHER_NET has secret, a shop without instances, and lots (800) -- */

static void fill(struct dns_instance *out, size_t n, unsigned first, const char *app, const char *region)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = instance(first + i, app, region, 0xA2220001 + i, true, false);
}

static struct dns_zone *our_zone(void)
{
	static struct dns_instance all[400];
	static const char *const apps[] = { "empty" };
	const struct dns_peer peers[] = { { "laptop", addr_natural((struct addr_parts){ NET, HERE, 0xa, 2 }), true },
					  { "asleep", addr_natural((struct addr_parts){ NET, HERE, 0xa, 0x102 }), false } };
	struct dns_zone_input in = { .network = NET, .v = 77, .apps = apps, .n_apps = 1, .instances = all, .peers = peers, .n_peers = 2 };
	struct dns_zone *z = NULL;
	char app[NAME_SIZE] = { 0 };
	size_t n = 0;

	all[n++] = instance(1, "shop", "ord", HERE, true, false);
	all[n++] = instance(9, "idle", "ord", HERE, false, false);
	fill(all + n, 200, 1000, "crowd", "nrt");
	n += 200;
	fill(all + n, 22, 2000, "four", "nrt");
	n += 22;
	fill(all + n, 50, 3000, "fifty", "nrt");
	n += 50;
	memset(app, 'a', 63);
	for (unsigned i = 0; i < 32; i++) {
		char region[] = { 'x', 'y', (char)('a' + i % 16), 0 };

		all[n++] = instance(4000 + i, i < 16 ? "wide" : app, region, 0xA3330001 + i, true, false);
	}
	in.n_instances = n;
	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

static struct dns_zone *their_zone(void)
{
	static struct dns_instance all[800];
	static const char *const apps[] = { "secret", "shop" };
	struct dns_zone_input in = { .network = OTHER_NET, .v = 5, .apps = apps, .n_apps = 2, .instances = all, .n_instances = ARRAY_LEN(all) };
	struct dns_zone *z = NULL;

	fill(all, ARRAY_LEN(all), 1, "lots", "ord");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i].address = addr_instance(OTHER_NET, 0xA2220001 + (uint32_t)i, 0x10001 + (uint32_t)i);
	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

static int start_conforming(void **state)
{
	static const uint32_t networks[] = { OTHER_NET, NET, ZONELESS_NET };
	struct dns_server_options o = { .address = addr_resolver(), .n_workers = 2, .tcp_idle_ms = IDLE_MS };
	int errors[ARRAY_LEN(networks)];
	struct why why = { 0 };

	(void)state;
	assert_int_equal(dns_views_new(&views), 0);
	assert_int_equal(dns_views_replace(views, our_zone()), 0);
	assert_int_equal(dns_views_replace(views, their_zone()), 0);
	dns_views_set_synced(views, true);
	dns_views_set_heard(views, INT64_MAX, true, 1); /* the controller is always there, so nothing is stale */
	o.views = views;
	if (dns_server_start(&o, &server, &why) < 0)
		fail_msg("%s", why.text);
	dns_server_set_networks(server, networks, ARRAY_LEN(networks), errors);
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		assert_int_equal(errors[i], 0);
	return 0;
}

static int stop_conforming(void **state)
{
	(void)state;
	server = dns_server_stop(server);
	views = dns_views_free(views);
	return 0;
}

static void add_more_addresses(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	static const char *const more[] = { OTHERS, ZONELESS, "fdaa:1234:5678::3", "fdaa:ab:cdef::3", "fdaa:5555:5555::3" };

	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		add_address(fd, more[i]);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		wait_for_address(more[i]);
}

/* Whoever is in no network has no such address; what he gets at another's is for test_networks to tell. */
static bool has_network(const char *source)
{
	return !source || !strcmp(source, OTHERS) || !strcmp(source, ZONELESS);
}

static int asker(int type, const char *source)
{
	struct sockaddr_in6 from = at(source ? source : OURS, 0);
	struct in6_addr resolver = addr_network_resolver(get_u32(from.sin6_addr.s6_addr + 2));
	char text[ADDR_TEXT_LEN];

	return client_of_resolver(type, source ? source : OURS, at_networks ? addr_text(&resolver, text) : "fdaa::3", 0);
}

/* -- one exchange -- */

#define PROBE_ID 0x7777

static size_t exchange_udp(const struct row *row, uint8_t *out, size_t size)
{
	int fd = asker(SOCK_DGRAM, row->source);
	uint8_t probe[512];
	ssize_t n;

	assert_int_equal(send(fd, row->query, row->len, 0), row->len);
	if (!strcmp(row->answer, DROPPED)) /* the same socket meets the same worker, which answers in order */
		assert_true(send(fd, probe, make_query(probe, PROBE_ID, "shop.internal", DNS_TYPE_AAAA, 0), 0) > 0);
	n = recv(fd, out, size, 0);
	close(fd);
	if (n < 0)
		fail_msg("%s (UDP): no answer", row->says);
	return get_u16(out) == PROBE_ID ? 0 : (size_t)n;
}

static size_t exchange_tcp(const struct row *row, uint8_t *out, size_t size)
{
	int fd = asker(SOCK_STREAM, row->source);
	uint8_t bytes[2048], head[2];
	size_t n = 0;

	put_u16(bytes, (uint16_t)row->len);
	memcpy(bytes + 2, row->query, row->len);
	assert_int_equal(send(fd, bytes, 2 + row->len, 0), 2 + row->len);
	if (read_exactly(fd, head, 2)) {
		n = get_u16(head);
		assert_true(n <= size);
		assert_true(read_exactly(fd, out, n));
	}
	close(fd);
	return n;
}

/* The answer's length; 0 = dropped, or the connection ended. */
static size_t exchange(const struct row *row, int by, uint8_t *out, size_t size)
{
	return by == UDP ? exchange_udp(row, out, size) : exchange_tcp(row, out, size);
}

/* -- what came back -- */

struct line {
	char text[8192];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *l, const char *format, ...)
{
	va_list args;

	if (l->len)
		l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, " ");
	va_start(args, format);
	l->len += (size_t)vsnprintf(l->text + l->len, sizeof l->text - l->len, format, args);
	va_end(args);
	assert_true(l->len < sizeof l->text);
}

static const char *rcode_text(unsigned rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };

	return rcode == DNS_BADVERS ? "BADVERS" : rcode < ARRAY_LEN(names) ? names[rcode] : "OTHER";
}

static void say_head(struct line *l, const ldns_pkt *p)
{
	unsigned rcode = ldns_pkt_get_rcode(p) | (ldns_pkt_edns(p) ? (unsigned)ldns_pkt_edns_extended_rcode(p) << 4 : 0);

	say(l, "%s", rcode_text(rcode));
	if (ldns_pkt_get_opcode(p))
		say(l, "op%d", ldns_pkt_get_opcode(p));
	if (ldns_pkt_aa(p))
		say(l, "aa");
	if (ldns_pkt_tc(p))
		say(l, "tc");
	if (ldns_pkt_rd(p))
		say(l, "rd");
	if (ldns_pkt_ra(p))
		say(l, "ra");
	if (ldns_pkt_ad(p))
		say(l, "ad");
	if (ldns_pkt_cd(p))
		say(l, "cd");
}

static void say_text_rdata(struct line *l, const ldns_rr *rr)
{
	size_t joined = 0, longest = 0, n = ldns_rr_rd_count(rr);

	for (size_t i = 0; i < n; i++) {
		size_t len = ldns_rdf_data(ldns_rr_rdf(rr, i))[0];

		joined += len;
		longest = len > longest ? len : longest;
	}
	say(l, "TXT %zu strings, joined %zu bytes, longest %zu", n, joined, longest);
}

static void say_answers(struct line *l, const ldns_pkt *p)
{
	size_t n = ldns_pkt_ancount(p);
	const ldns_rr *first = n ? ldns_rr_list_rr(ldns_pkt_answer(p), 0) : NULL;

	if (n > 1) {
		say(l, "%zu AAAA", n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(ldns_rr_get_type(ldns_rr_list_rr(ldns_pkt_answer(p), i)), LDNS_RR_TYPE_AAAA);
	} else if (n && ldns_rr_get_type(first) == LDNS_RR_TYPE_TXT && ldns_rr_rd_count(first) > 1) {
		say_text_rdata(l, first);
	} else if (n) {
		char *type = ldns_rr_type2str(ldns_rr_get_type(first));

		say(l, "%s", type);
		free(type);
		for (size_t i = 0; i < ldns_rr_rd_count(first); i++) {
			char *rdata = ldns_rdf2str(ldns_rr_rdf(first, i));

			say(l, "%s", rdata);
			free(rdata);
		}
	}
}

static void say_authority(struct line *l, const ldns_pkt *p)
{
	const ldns_rr *soa;
	char *owner;

	if (!ldns_pkt_nscount(p))
		return;
	soa = ldns_rr_list_rr(ldns_pkt_authority(p), 0);
	assert_int_equal(ldns_pkt_nscount(p), 1);
	assert_int_equal(ldns_rr_get_type(soa), LDNS_RR_TYPE_SOA);
	owner = ldns_rdf2str(ldns_rr_owner(soa));
	say(l, "SOA %s %u min %u", owner, ldns_rr_ttl(soa), ldns_rdf2native_int32(ldns_rr_rdf(soa, 6)));
	free(owner);
}

static void say_opt(struct line *l, const ldns_pkt *p)
{
	const ldns_rdf *data = ldns_pkt_edns_data(p);
	struct cursor c;

	if (!ldns_pkt_edns(p))
		return;
	say(l, "opt %u", ldns_pkt_edns_udp_size(p));
	assert_int_equal(ldns_pkt_edns_version(p), 0);
	assert_int_equal(ldns_pkt_edns_z(p) & 0x7fff, 0);
	if (ldns_pkt_edns_do(p))
		say(l, "do");
	if (!data)
		return;
	c = cursor_over(ldns_rdf_data(data), ldns_rdf_size(data));
	while (cursor_left(&c)) {
		uint16_t code = cursor_u16(&c), len = cursor_u16(&c);
		const uint8_t *at = cursor_take(&c, len);

		assert_non_null(at);
		if (code == DNS_OPTION_KEEPALIVE && len == 2)
			say(l, "keepalive=%u", get_u16(at));
		else if (code == DNS_OPTION_ERROR && len >= 2)
			say(l, "ede=%u %.*s", get_u16(at), len - 2, (const char *)at + 2);
		else
			say(l, "option%u", code);
	}
}

/* The octets of the question; 0 if it cannot be told. */
static size_t question_len(const uint8_t *message, size_t len)
{
	size_t at = DNS_HEADER_LEN;

	while (at < len && message[at] && message[at] < 64)
		at += 1u + message[at];
	return at + 5 <= len && !message[at] ? at + 5 - DNS_HEADER_LEN : 0;
}

/* What holds of every answer, whatever the row. */
static void check_always(const struct row *row, int by, const uint8_t *m, size_t n, const ldns_pkt *p)
{
	size_t question = ldns_pkt_qdcount(p) ? question_len(m, n) : 0;

	assert_true(n >= DNS_HEADER_LEN && n <= (by == UDP ? (ldns_pkt_edns(p) ? DNS_UDP_MAX : DNS_UDP_PLAIN) : DNS_MESSAGE_MAX));
	assert_int_equal(get_u16(m), get_u16(row->query));
	assert_true(m[2] & 0x80);
	assert_int_equal(m[2] & 0x78, row->query[2] & 0x78);
	assert_int_equal(m[3] & 0x60, 0); /* Z, AD */
	if (ldns_pkt_qdcount(p))
		assert_memory_equal(m + DNS_HEADER_LEN, row->query + DNS_HEADER_LEN, question);
	for (size_t i = 0; i < ldns_pkt_ancount(p); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(p), i);

		assert_true(ldns_rr_ttl(rr) <= DNS_TTL);
		assert_int_equal(ldns_rr_get_class(rr), LDNS_RR_CLASS_IN);
	}
	if (ldns_pkt_ancount(p))
		assert_int_equal(get_u16(m + DNS_HEADER_LEN + question), 0xc00c);
	if (ldns_pkt_ancount(p) || ldns_pkt_nscount(p))
		assert_true(ldns_pkt_aa(p) && ldns_pkt_ra(p));
	/* NODATA without an SOA is a lame server to glibc and Go; a negative answer without one is kept for minutes by others */
	if (ldns_pkt_get_rcode(p) == LDNS_RCODE_NXDOMAIN ||
	    (ldns_pkt_get_rcode(p) == LDNS_RCODE_NOERROR && !ldns_pkt_ancount(p) && !ldns_pkt_tc(p) && !ldns_pkt_edns_extended_rcode(p)))
		assert_int_equal(ldns_pkt_nscount(p), 1);
}

static bool check_row(const struct row *row, int by)
{
	static uint8_t message[DNS_MESSAGE_MAX];
	size_t n = exchange(row, by, message, sizeof message);
	struct line l = { .len = 0 };
	ldns_pkt *p;
	bool same;

	if (!n) {
		if (strcmp(row->answer, DROPPED))
			print_error("%s (%s%s): dropped\n", row->says, by == UDP ? "UDP" : "TCP", at_networks ? ", ::3" : "");
		return !strcmp(row->answer, DROPPED);
	}
	p = decode(message, n);
	say_head(&l, p);
	say(&l, "%u/%u/%u/%u", ldns_pkt_qdcount(p), ldns_pkt_ancount(p), ldns_pkt_nscount(p), get_u16(message + 10));
	say_answers(&l, p);
	say_authority(&l, p);
	say_opt(&l, p);
	same = !strcmp(l.text, row->answer);
	if (!same)
		print_error("%s (%s%s):\n   came   %s\n   should %s\n", row->says, by == UDP ? "UDP" : "TCP",
			    at_networks ? ", ::3" : "", l.text, row->answer);
	check_always(row, by, message, n, p);
	ldns_pkt_free(p);
	return same;
}

static void check_rows(const struct row *rows, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < 2 * n; i++) {
		const struct row *row = &rows[i / 2];

		at_networks = i % 2;
		for (int by = UDP; by <= TCP && (!at_networks || has_network(row->source)); by <<= 1)
			wrong += row->by & by && !check_row(row, by);
	}
	at_networks = false;
	assert_int_equal(wrong, 0);
}

/* -- TCP as a stream -- */

struct stream_row {
	const char *says;
	enum { ONE_WRITE, BYTE_BY_BYTE, ONE_BY_ONE, RAW } how;
	unsigned n, answers; /* AAAA and A of shop in turn */
	bool big;            /* lists of 20 KiB instead */
	size_t cut;          /* so many bytes of the last are not sent */
	bool half_close;
	const char *raw;
	size_t raw_len;
	enum { STAYS, ENDS, ENDS_IDLE } then;
};

static void send_bytes(int fd, const uint8_t *bytes, size_t n, size_t piece)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	for (size_t at = 0; at < n; at += piece)
		assert_true(send(fd, bytes + at, n - at < piece ? n - at : piece, 0) > 0);
}

static bool receive_answer(int fd, uint16_t id, bool big)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	uint8_t head[2];

	if (!read_exactly(fd, head, 2) || !read_exactly(fd, bytes, get_u16(head)))
		return false;
	assert_int_equal(get_u16(bytes), id);
	assert_int_equal(get_u16(bytes + 6), big || id % 2 == 0); /* AAAA has one, A has none */
	return true;
}

static void check_stream(const struct stream_row *row)
{
	static uint8_t bytes[16384];
	int fd = asker(SOCK_STREAM, NULL);
	struct dns_stats before, after;
	size_t n = 0;
	uint8_t one;

	dns_server_stats(server, &before);
	for (uint16_t i = 0; i < row->n; i++) {
		n += row->big ? frame(bytes + n, i, "_instances.internal", DNS_TYPE_TXT) :
				frame(bytes + n, i, "shop.internal", i % 2 ? DNS_TYPE_A : DNS_TYPE_AAAA);
		if (row->how == ONE_BY_ONE) {
			send_bytes(fd, bytes, n, n);
			assert_true(receive_answer(fd, i, row->big));
			n = 0;
		}
	}
	if (row->how == RAW)
		memcpy(bytes, row->raw, n = row->raw_len);
	if (n)
		send_bytes(fd, bytes, n - row->cut, row->how == BYTE_BY_BYTE ? 1 : n);
	if (row->half_close)
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (uint16_t i = 0; i < row->answers && row->how != ONE_BY_ONE; i++)
		if (!receive_answer(fd, i, row->big))
			fail_msg("%s: ended before answer %u", row->says, i);
	if (row->then == STAYS) /* it is still good for another */
		send_bytes(fd, bytes, frame(bytes, 0, "shop.internal", DNS_TYPE_AAAA), sizeof bytes);
	if (row->then == STAYS ? !receive_answer(fd, 0, false) : recv(fd, &one, 1, 0) > 0)
		fail_msg("%s: it %s", row->says, row->then == STAYS ? "ended" : "was answered");
	dns_server_stats(server, &after);
	assert_int_equal(after.counters[DNS_COUNT_TCP_IDLE] - before.counters[DNS_COUNT_TCP_IDLE], row->then == ENDS_IDLE);
	close(fd);
}

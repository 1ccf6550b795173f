/* bench_answer - what one DNS answer costs in our code, beside the floor that no server gets below: sending the same bytes through
 * a UDP socket and receiving them. Both in this run, on this machine; only the ratio means something elsewhere. */
#include "lib/base/crypto.h"
#include "lib/dns/answer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NETWORK 0x00180042u
#define HOST 0xa9a80001u
#define APPS 3000
#define ANSWERS 1000000
#define DATAGRAMS 300000

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct dns_zone *make_zone(void)
{
	static char names[APPS][NAME_SIZE];
	static const char *apps[APPS];
	static struct dns_instance instances[3 * APPS];
	struct dns_region regions[] = { { "ord", 0 }, { "nrt", 10000 } };
	struct dns_here here = { .host = HOST, .region = "ord", .regions = regions, .n_regions = 2 };
	struct dns_zone_input in = { .network = NETWORK, .v = 1, .apps = apps, .n_apps = APPS, .instances = instances, .n_instances = 3 * APPS };
	struct dns_zone *zone;

	for (int i = 0; i < APPS; i++) {
		snprintf(names[i], sizeof names[i], "app-%d", i);
		apps[i] = names[i];
		for (int k = 0; k < 3; k++) {
			struct dns_instance *one = &instances[3 * i + k];

			*one = (struct dns_instance){ .address = addr_instance(NETWORK, HOST, (uint32_t)(0x10000 + 3 * i + k)),
						      .host = HOST, .answers = true, .region = "ord" };
			snprintf(one->id, sizeof one->id, "%014x", 3 * i + k);
			memcpy(one->app, names[i], sizeof one->app);
		}
	}
	if (dns_zone_build(&in, &here, &zone))
		die("zone");
	return zone;
}

static size_t make_query(uint8_t *out, int app)
{
	static const uint8_t head[12] = { 0x12, 0x34, 1, 0, 0, 1 };
	char label[NAME_SIZE];
	size_t n = sizeof head, len;

	memcpy(out, head, n);
	len = (size_t)snprintf(label, sizeof label, "app-%d", app);
	out[n++] = (uint8_t)len;
	memcpy(out + n, label, len);
	n += len;
	memcpy(out + n, "\x08internal\x00\x00\x1c\x00\x01", 14);
	return n + 14;
}

static double floor_ns(size_t query_len, size_t answer_len)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof at;
	uint8_t bytes[2048] = { 0 };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	double start;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		die("socket");
	start = now_ns();
	for (int i = 0; i < DATAGRAMS; i++) /* a server receives one and sends one: here the same socket does both */
		if (sendto(fd, bytes, i & 1 ? query_len : answer_len, 0, (struct sockaddr *)&at, len) < 0 || recv(fd, bytes, sizeof bytes, 0) < 0)
			die("datagram");
	close(fd);
	return (now_ns() - start) / DATAGRAMS;
}

int main(void)
{
	struct dns_asker asker = { .source = addr_instance(NETWORK, HOST, 0x10000), .local = addr_resolver(), .transport = DNS_UDP };
	uint8_t queries[64][128], answer[DNS_UDP_MAX];
	size_t lens[64], n = 0;
	struct dns_outcome outcome;
	struct dns_views *views;
	double start, ours, floor;

	crypto_init();
	if (dns_views_new(&views) || dns_views_replace(views, make_zone()))
		die("views");
	dns_views_set_synced(views, true);
	for (int i = 0; i < 64; i++)
		lens[i] = make_query(queries[i], i * 37);
	dns_views_reader_start();
	dns_views_online();
	start = now_ns();
	for (int i = 0; i < ANSWERS; i++)
		n = dns_answer(views, &asker, queries[i & 63], lens[i & 63], answer, sizeof answer, &outcome);
	ours = (now_ns() - start) / ANSWERS;
	dns_views_offline();
	dns_views_reader_stop();
	if (!n || outcome.rcode)
		die("the answer is wrong");
	floor = floor_ns(lens[0], n);
	printf("DNS answer (AAAA, 3 addresses, %zu bytes, %d names): %.0f ns of CPU = %.2f of the floor (one UDP receive and send: %.0f ns)\n",
	       n, 3 * APPS, ours, ours / floor, floor);
	dns_views_free(views);
	return 0;
}

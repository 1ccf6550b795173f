/* flood - echo requests from one instance to another until SIGTERM, but at least so many, and what became of them as one line of JSON.
 *
 * Closed loop: at most WINDOW requests are on their way, and the next one goes out when an answer came in (or one was given up after
 * PATIENCE_MS). So no queue on the way can overflow - wireguard-go's hold 1024 packets, a socket's some hundred - however little
 * processor time anybody gets: a machine that is busy makes the flood slower, never lossy, and every packet that is missing was dropped
 * by somebody's decision. `ping -f` sends on whether or not answers come, and loses packets to the scheduler. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 64
#define PATIENCE_MS 10000

struct request {
	struct icmp6_hdr head;
	uint64_t run, number;
};

static volatile sig_atomic_t over;

static struct {
	uint64_t number, sent_ms; /* 0 = the place is free */
} under_way[WINDOW];

static uint64_t sent, received, lost, late, longest_ms;

static void end(int number)
{
	(void)number;
	over = 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int free_place(void)
{
	for (int i = 0; i < WINDOW; i++)
		if (!under_way[i].sent_ms)
			return i;
	return -1;
}

/* False: not now. What the kernel refuses to send is lost too. */
static int send_one(int fd, const struct sockaddr_in6 *to, uint64_t run)
{
	struct request r = { .head = { .icmp6_type = ICMP6_ECHO_REQUEST }, .run = run, .number = sent + 1 };
	int place = free_place();

	if (place < 0)
		return 0;
	sent++;
	if (sendto(fd, &r, sizeof r, 0, (const struct sockaddr *)to, sizeof *to) != sizeof r) {
		lost++;
		return 1;
	}
	under_way[place].number = r.number;
	under_way[place].sent_ms = now_ms();
	return 1;
}

static void receive(int fd, uint64_t run)
{
	struct request r;

	while (recv(fd, &r, sizeof r, MSG_DONTWAIT) == sizeof r) {
		int i = 0;

		if (r.head.icmp6_type != ICMP6_ECHO_REPLY || r.run != run)
			continue;
		while (i < WINDOW && (!under_way[i].sent_ms || under_way[i].number != r.number))
			i++;
		if (i == WINDOW) {
			late++; /* given up already, or twice */
			continue;
		}
		if (now_ms() - under_way[i].sent_ms > longest_ms)
			longest_ms = now_ms() - under_way[i].sent_ms;
		under_way[i].sent_ms = 0;
		received++;
	}
}

/* Returns how many are still on their way. */
static int give_up(void)
{
	int n = 0;

	for (int i = 0; i < WINDOW; i++) {
		if (!under_way[i].sent_ms)
			continue;
		if (now_ms() - under_way[i].sent_ms > PATIENCE_MS) {
			under_way[i].sent_ms = 0;
			lost++;
		} else {
			n++;
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct sigaction action = { .sa_handler = end };
	struct icmp6_filter filter;
	uint64_t per_second, at_least, begun, run;
	int fd;

	if (argc != 4 || inet_pton(AF_INET6, argv[1], &to.sin6_addr) != 1 || !(per_second = strtoull(argv[2], NULL, 10))) {
		fprintf(stderr, "usage: flood ADDRESS PER_SECOND AT_LEAST\n");
		return 2;
	}
	at_least = strtoull(argv[3], NULL, 10);
	sigaction(SIGTERM, &action, NULL);
	fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	if (fd < 0 || setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) < 0) {
		perror("flood");
		return 1;
	}
	begun = now_ms();
	run = begun << 20 ^ (uint64_t)getpid();
	while (!over || sent < at_least || give_up()) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		for (int burst = 0; (!over || sent < at_least) && burst < 8 && sent < (now_ms() - begun + 1) * per_second / 1000; burst++)
			if (!send_one(fd, &to, run))
				break;
		poll(&wait, 1, 1);
		receive(fd, run);
		give_up();
	}
	printf("{\"sent\": %llu, \"received\": %llu, \"lost\": %llu, \"late\": %llu, \"longest_ms\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)received, (unsigned long long)lost, (unsigned long long)late, (unsigned long long)longest_ms);
	return 0;
}

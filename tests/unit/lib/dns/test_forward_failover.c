/* The forwarder when upstreams are slow, silent, dead or replaced by others. */
#include "tests/unit/lib/dns/forward_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* ---- slow, silent, dead ---- */

static void a_silent_upstream_costs_a_moment_and_then_nothing(void **state)
{
	(void)state;
	restart_with_both(0);
	up.script = silent;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	assert_int_equal(counted(forward, DNS_FORWARD_HEDGED), 1);
	assert_int_equal(counted(forward, DNS_FORWARD_UPSTREAM_SLOW), 1);
	for (unsigned i = 0; i < 5; i++) {
		char name[32];

		snprintf(name, sizeof name, "b%u.example", i);
		assert_string_equal(ask_and_wait(name, (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	}
	assert_int_equal(counted(forward, DNS_FORWARD_HEDGED), 1); /* the good one is asked first now */
}

/* RFC 9520 3.1 */
static void a_silent_upstream_is_asked_three_times_at_most(void **state)
{
	size_t n = 0;

	(void)state;
	up.script = silent;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "SERVFAIL");
	for (size_t i = 0; i < up.n_seen; i++)
		n += !strcmp(up.seen[i], "a.example 1");
	assert_int_equal(n, 3);
}

static void an_upstream_that_comes_back_is_found_by_a_probe(void **state)
{
	struct dns_upstreams u;

	(void)state;
	restart_with_both(0);
	up.script = silent;
	ask_and_wait("a.example", (struct how){ 0 });
	dns_forward_upstreams(forward, &u);
	assert_true(u.all[0].suspect);
	assert_false(u.all[1].suspect);
	up.script = plain;
	for (uint64_t start_ms = loop_now_ms(loop); u.all[0].suspect;) {
		assert_int_equal(loop_round(loop, 100), 0);
		dns_forward_upstreams(forward, &u);
		assert_true(loop_now_ms(loop) - start_ms < 20000);
	}
	assert_true(fake_saw(&up, " 2")); /* the root's name servers */
	assert_true(counted(forward, DNS_FORWARD_PROBES) >= 1);
}

static void silent_to_probes(struct fake_query *q)
{
	if (q->type != DNS_TYPE_NS)
		plain(q);
}

static void a_probe_ends_when_its_upstream_is_heard_otherwise(void **state)
{
	struct dns_upstreams u;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", up.port);
	restart_with(list, 400);
	up.script = silent;
	ask_and_wait("a.example", (struct how){ 0 });
	while (!counted(forward, DNS_FORWARD_PROBES))
		assert_int_equal(loop_round(loop, 100), 0);
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_SOCKETS), 1);
	up.script = silent_to_probes;
	ask_and_wait("b.example", (struct how){ 0 });
	dns_forward_upstreams(forward, &u);
	assert_false(u.all[0].suspect);
	let_pass(1200); /* when the next would have been due */
	assert_int_equal(gauge(forward, DNS_FORWARD_NOW_SOCKETS), 0);
}

static void all_silent_is_servfail_before_the_asker_gives_up_and_then_at_once(void **state)
{
	static struct asked a;

	(void)state;
	restart_with_both(600);
	up.script = second.script = silent;
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a);
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 22);
	size_t seen = up.n_udp + second.n_udp;

	assert_true(seen >= 3); /* each, and again */
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	assert_int_equal(a.answered, 1); /* before this returned: nobody was asked */
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 13);
	assert_int_equal(counted(forward, DNS_FORWARD_HIT_FAILURE), 1);
	/* another name is tried all the same */
	second.script = plain;
	assert_string_equal(ask_and_wait("b.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
}

static void nobody_at_the_port_is_servfail_at_once(void **state)
{
	static struct asked a;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u", second.port);
	fake_stop(&second);
	restart_with(list, 5000);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a);
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 23);
	assert_true(counted(forward, DNS_FORWARD_UPSTREAM_UNREACHABLE) >= 1);
	fake_start(&second, loop);
}

static void no_upstream_is_said(void **state)
{
	static struct asked a;
	struct dns_forward_options options = { .upstreams = "auto", .resolv_conf = "/nonexistent", .own = addr_resolver(),
					       .clock = clock_real() };

	(void)state;
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	assert_string_equal(a.text, "SERVFAIL");
	assert_int_equal(a.ede, 22);
	assert_int_equal(counted(forward, DNS_FORWARD_NO_UPSTREAM), 1);
}

static void what_was_known_is_given_out_when_nobody_answers(void **state)
{
	static struct asked a;

	(void)state;
	restart_with_both(500);
	up.script = second.script = with_ttl;
	ttl = 1;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 1");
	up.script = second.script = silent;
	let_pass(1100); /* the TTL is in whole seconds */
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a);
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 30");
	assert_int_equal(a.ede, 3);
	assert_int_equal(counted(forward, DNS_FORWARD_STALE), 1);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	assert_int_equal(a.answered, 1);
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 30");
	assert_int_equal(counted(forward, DNS_FORWARD_HIT_STALE), 1);
}

static void while_all_are_silent_what_was_known_comes_at_once(void **state)
{
	struct dns_forward_options options = { .own = addr_resolver(), .clock = clock_real(), .total_ms = 600, .stale_ms = 60000 };
	static struct asked a;
	char list[64];

	(void)state;
	snprintf(list, sizeof list, "127.0.0.1:%u, 127.0.0.1:%u", up.port, second.port);
	options.upstreams = list;
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	up.script = second.script = with_ttl;
	ttl = 1;
	assert_string_equal(ask_and_wait("a.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 1");
	up.script = second.script = silent;
	assert_string_equal(ask_and_wait("b.example", (struct how){ 0 }), "SERVFAIL"); /* now they are known to be silent */
	let_pass(1100);
	ask(forward, &a, "a.example", (struct how){ .edns = 512 });
	await(loop, &a); /* would fail if it waited for stale_ms */
	assert_string_equal(a.text, "NOERROR A 192.0.2.1 30");
	assert_int_equal(a.ede, 3);
}

static void a_stale_nxdomain_is_never_given_out(void **state)
{
	(void)state;
	restart_with_both(500);
	up.script = second.script = negative;
	with_soa = true;
	soa_ttl = 1;
	assert_string_equal(ask_and_wait("x.example", (struct how){ 0 }), "NXDOMAIN / SOA . . 0 0 0 0 1 1");
	soa_ttl = 100000;
	up.script = second.script = silent;
	let_pass(1100);
	assert_string_equal(ask_and_wait("x.example", (struct how){ 0 }), "SERVFAIL");
	assert_int_equal(counted(forward, DNS_FORWARD_FAILED), 1);
}

/* ---- the list of upstreams ---- */

static void write_conf(const char *path, const char *text)
{
	char temporary[80];
	FILE *file;

	snprintf(temporary, sizeof temporary, "%s.new", path);
	file = fopen(temporary, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(temporary, path), 0);
}

/* It looks once a second, when somebody asks. */
static void ask_until_there_are(size_t n, const char *first)
{
	struct dns_upstreams u;
	unsigned tries = 0;
	char name[32];

	do {
		static struct asked a;

		snprintf(name, sizeof name, "try%u.example", tries);
		ask(forward, &a, name, (struct how){ 0 });
		await(loop, &a);
		let_pass(100);
		dns_forward_upstreams(forward, &u);
		assert_true(tries++ < 100);
	} while (u.n != n || (n && strcmp(u.all[0].text, first) != 0));
}

static void another_resolv_conf_is_noticed_and_what_was_kept_forgotten(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	struct dns_upstreams u;
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver fdaa::3\nnameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	dns_forward_upstreams(forward, &u);
	assert_int_equal(u.n, 1);
	ask_and_wait("www.example", (struct how){ 0 });
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(counted(forward, DNS_FORWARD_HIT), 1);
	write_conf(path, "# nothing\n");
	ask_until_there_are(0, "");
	second.script = with_ttl;
	ttl = 77;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	snprintf(text, sizeof text, "127.0.0.1:%u", second.port);
	ask_until_there_are(1, text);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 77"); /* not what the first said */
	unlink(path);
}

/* Whoever asks only for what is in the cache must not be told for a day what servers of yesterday said. */
static void another_resolv_conf_is_noticed_by_who_asks_for_the_same_name(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 60");
	second.script = with_ttl;
	ttl = 77;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	let_pass(1100);
	assert_string_equal(ask_and_wait("www.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 77");
	unlink(path);
}

static void a_resolv_conf_that_cannot_be_read_changes_nothing_until_it_can(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	struct rlimit limit, none;
	struct dns_upstreams u;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	ask_and_wait("www.example", (struct how){ 0 });
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	let_pass(1100);
	/* no descriptor left at the moment when it is looked at */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 3, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(counted(forward, DNS_FORWARD_HIT), 1);
	dns_forward_upstreams(forward, &u);
	assert_int_equal(u.n, 1);
	let_pass(1100);
	ask_and_wait("www.example", (struct how){ 0 });
	assert_int_equal(counted(forward, DNS_FORWARD_RELOADED), 2); /* at the start, and when it could be read again */
	assert_int_equal(second.n_udp, 1);
	unlink(path);
}

/* The text stays, what it means does not: a device that was not there yet. Seen by a file changed behind its times. */
static void a_resolv_conf_that_names_a_device_is_read_again(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 300 };
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	struct timespec times[2];
	struct stat before;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver fe80::1%%nosuchdevice\nnameserver 127.0.0.1:%05u\n", up.port);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	assert_int_equal(fstat(fd, &before), 0);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	ask_and_wait("a.example", (struct how){ 0 });
	snprintf(text, sizeof text, "nameserver fe80::1%%nosuchdevice\nnameserver 127.0.0.1:%05u\n", second.port);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	times[0] = before.st_atim;
	times[1] = before.st_mtim;
	assert_int_equal(futimens(fd, times), 0);
	let_pass(1100);
	ask_and_wait("b.example", (struct how){ 0 });
	assert_int_equal(up.n_udp, 1);
	assert_int_equal(second.n_udp, 1);
	close(fd);
	unlink(path);
}

static struct fake_query kept;

static void keep(struct fake_query *q)
{
	if (!strncasecmp(q->name, "late", 4))
		kept = *q;
	else
		plain(q);
}

static void silent_to_late(struct fake_query *q)
{
	if (strncasecmp(q->name, "late", 4) != 0)
		with_ttl(q);
}

static void what_a_dropped_server_says_late_is_told_but_not_kept(void **state)
{
	struct dns_forward_options options = { .upstreams = "auto", .own = addr_resolver(), .clock = clock_real(), .total_ms = 8000 };
	static struct asked late;
	char path[] = "/tmp/test_forward.XXXXXX", text[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	options.resolv_conf = path;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", up.port);
	write_conf(path, text);
	forward = dns_forward_free(forward);
	assert_int_equal(dns_forward_new(loop, &options, &forward, NULL), 0);
	up.script = keep;
	second.script = silent_to_late;
	ttl = 77;
	kept.n = 0;
	ask(forward, &late, "late.example", (struct how){ 0 });
	while (!kept.n)
		assert_int_equal(loop_round(loop, 100), 0);
	up.script = silent;
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", second.port);
	write_conf(path, text);
	snprintf(text, sizeof text, "127.0.0.1:%u", second.port);
	let_pass(1100);
	ask_until_there_are(1, text);
	assert_int_equal(late.answered, 0);
	plain(&kept);
	await(loop, &late);
	assert_string_equal(late.text, "NOERROR A 192.0.2.1 60");
	second.script = with_ttl;
	assert_string_equal(ask_and_wait("late.example", (struct how){ 0 }), "NOERROR A 192.0.2.1 77");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_silent_upstream_costs_a_moment_and_then_nothing),
		T(a_silent_upstream_is_asked_three_times_at_most),
		T(an_upstream_that_comes_back_is_found_by_a_probe),
		T(a_probe_ends_when_its_upstream_is_heard_otherwise),
		T(all_silent_is_servfail_before_the_asker_gives_up_and_then_at_once),
		T(nobody_at_the_port_is_servfail_at_once),
		T(no_upstream_is_said),
		T(what_was_known_is_given_out_when_nobody_answers),
		T(while_all_are_silent_what_was_known_comes_at_once),
		T(a_stale_nxdomain_is_never_given_out),
		T(another_resolv_conf_is_noticed_and_what_was_kept_forgotten),
		T(another_resolv_conf_is_noticed_by_who_asks_for_the_same_name),
		T(a_resolv_conf_that_cannot_be_read_changes_nothing_until_it_can),
		T(a_resolv_conf_that_names_a_device_is_read_again),
		T(what_a_dropped_server_says_late_is_told_but_not_kept),
	};
	int failed;

	descriptors_before = descriptors();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return forward_status(failed);
}

/* The file of a peer: what is in it for whom, that nothing of a reply gets into it unread, and that it reads back. */
#include "controller/cli/peer_file.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GATEWAY_KEY "Z2F0ZXdheWdhdGV3YXlnYXRld2F5Z2F0ZXdheWdhdGU="
#define PRIVATE_KEY "cHJpdmF0ZXByaXZhdGVwcml2YXRlcHJpdmF0ZXByaXY="

static const char reply[] =
	"{\"name\":\"laptop\",\"org\":\"acme\",\"network\":\"default\",\"region\":\"dev\",\"gateway\":\"dev-2\","
	"\"endpoint\":\"gw-dev.example.net:51820\",\"gateway_public_key\":\"" GATEWAY_KEY "\",\"prefix\":\"fdaa:1:2a:ae03:2:0:a:100/120\","
	"\"address\":\"fdaa:1:2a:ae03:2:0:a:102\",\"allowed_ips\":[\"fdaa:1:2a::/48\"],\"dns\":\"fdaa:1:2a::3\"}";

static void take(struct peer_file *file, const char *text)
{
	struct why why;
	CLEAN_JSON json_t *json = json_parse(text, strlen(text), &why);

	assert_non_null(json);
	if (peer_file_from_reply(file, json, &why) != 0)
		fail_msg("%s: %s", why.code, why.text);
}

static struct peer_file laptop(void)
{
	struct peer_file file = { .has_private = true };

	assert_int_equal(crypto_unbase64(PRIVATE_KEY, strlen(PRIVATE_KEY), file.private_key, sizeof file.private_key), 0);
	take(&file, reply);
	return file;
}

static char *written(const struct peer_file *file, enum peer_form form, enum peer_dns dns, bool comments)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);

	assert_int_equal(peer_dns_choose(form, dns, &dns, NULL), 0);
	peer_file_write(file, form, dns, comments, &text);
	assert_false(buf_failed(&text));
	return strdup(buf_str(&text));
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" in:\n%s", part, text);
}

static void every_form_has_the_keys_the_slash_120_the_network_and_the_endpoint(void **state)
{
	struct peer_file file = laptop();

	(void)state;
	for (enum peer_form form = PEER_FORM_LINUX; form <= PEER_FORM_IOS; form++) {
		CLEAN_FREE char *text = written(&file, form, PEER_DNS_DEFAULT, true);

		has(text, "[Interface]\nPrivateKey = " PRIVATE_KEY "\nAddress = fdaa:1:2a:ae03:2:0:a:102/120\n");
		has(text, "PublicKey = " GATEWAY_KEY "\nAllowedIPs = fdaa:1:2a::/48");
		has(text, "\nEndpoint = gw-dev.example.net:51820\nPersistentKeepalive = 25\n");
		has(text, "# peer laptop of acme, network default\n");
		has(text, "# gateway dev-2 in dev\n");
	}
}

static void linux_gets_no_dns_line_and_no_hook_that_could_fail(void **state)
{
	struct peer_file file = laptop();

	(void)state;
	for (enum peer_dns dns = PEER_DNS_INTERNAL; dns <= PEER_DNS_ALL; dns++) {
		CLEAN_FREE char *text = written(&file, PEER_FORM_LINUX, dns, true);
		unsigned n = 0;

		has_not(text, "\nDNS");
		for (const char *at = text; (at = strstr(at, "\nPost")); n++) {
			size_t len = strcspn(++at, "\n");

			assert_memory_equal(at + len - 8, " || true", 8);
			assert_null(memchr(at, '#', len)); /* wg-quick cuts there */
		}
		assert_int_equal(n, 3);
	}
}

/* As wg-quick runs a hook, on a machine that has nothing, and on one where everything fails. */
static void no_hook_fails_whatever_the_machine_has(void **state)
{
	static const char *const machines[] = { "PATH=/nonexistent", "ip() { false; }; grep() { false; }; resolvectl() { false; }; resolvconf() { false; }",
						"ip() { false; }; grep() { true; }; resolvectl() { false; }; resolvconf() { cat >/dev/null; false; }",
						"ip() { false; }; resolvectl() { [ $1 = dns ]; }" };
	struct peer_file file = laptop();

	(void)state;
	for (enum peer_dns dns = PEER_DNS_INTERNAL; dns <= PEER_DNS_ALL; dns++) {
		CLEAN_FREE char *text = written(&file, PEER_FORM_LINUX, dns, true);

		for (const char *at = text; (at = strstr(at, "\nPost"));) {
			size_t len = strcspn(++at, "\n");
			char *hook = strndup(strchr(at, '=') + 1, len - (size_t)(strchr(at, '=') + 1 - at));

			assert_int_equal(setenv("HOOK", hook, 1), 0);
			for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
				char command[400];

				snprintf(command, sizeof command, "bash -c 'set -e -o pipefail; %s; (eval \"$HOOK\") 2>/dev/null </dev/null'", machines[i]);
				if (system(command) != 0)
					fail_msg("fails on a machine with %s:\n%s", machines[i], hook);
			}
			free(hook);
		}
	}
}

static void split_dns_names_the_zones_and_all_dns_takes_the_root(void **state)
{
	struct peer_file file = laptop();
	CLEAN_FREE char *split = written(&file, PEER_FORM_LINUX, PEER_DNS_DEFAULT, true);
	CLEAN_FREE char *all = written(&file, PEER_FORM_LINUX, PEER_DNS_ALL, true);

	(void)state;
	has(split, "resolvectl dns %i fdaa:1:2a::3 ");
	has(split, "'~internal' '~flycast' '~a.2.0.0.1.0.0.0.a.a.d.f.ip6.arpa'");
	has(split, "resolvectl default-route %i no");
	has_not(split, "'~.'");
	has(all, "resolvectl domain %i '~.'");
	has(all, "resolvconf -a %i -m 0 -x");
}

static void apps_that_take_a_dns_line_get_one_unless_the_system_can_split(void **state)
{
	struct peer_file file = laptop();
	CLEAN_FREE char *mac = written(&file, PEER_FORM_MACOS, PEER_DNS_DEFAULT, true);
	CLEAN_FREE char *mac_split = written(&file, PEER_FORM_MACOS, PEER_DNS_INTERNAL, true);
	CLEAN_FREE char *windows_split = written(&file, PEER_FORM_WINDOWS, PEER_DNS_INTERNAL, true);
	enum peer_dns dns = PEER_DNS_DEFAULT;
	struct why why;

	(void)state;
	has(mac, "\nDNS = fdaa:1:2a::3\n");
	has_not(mac, "Post");
	has_not(mac_split, "\nDNS");
	has(mac_split, "/etc/resolver/internal");
	has_not(windows_split, "\nDNS");
	has(windows_split, "Add-DnsClientNrptRule -Namespace .internal -NameServers fdaa:1:2a::3");
	assert_int_equal(peer_dns_choose(PEER_FORM_IOS, PEER_DNS_INTERNAL, &dns, &why), E_REFUSED);
	assert_string_equal(why.code, "dns_not_split");
}

static void phones_get_a_global_route_that_makes_them_ask_for_aaaa_and_nobody_else_does(void **state)
{
	struct peer_file file = laptop();

	(void)state;
	for (enum peer_form form = PEER_FORM_LINUX; form <= PEER_FORM_IOS; form++) {
		CLEAN_FREE char *text = written(&file, form, PEER_DNS_DEFAULT, false);
		bool phone = form == PEER_FORM_ANDROID || form == PEER_FORM_IOS;

		assert_int_equal(strstr(text, "AllowedIPs = fdaa:1:2a::/48, 2000::/128\n") != NULL, phone);
		has_not(text, "#");
	}
}

static void without_the_key_a_placeholder_says_where_it_belongs(void **state)
{
	struct peer_file file = laptop();

	(void)state;
	file.has_private = false;
	CLEAN_FREE char *text = written(&file, PEER_FORM_LINUX, PEER_DNS_DEFAULT, true);
	has(text, "PrivateKey = " PEER_FILE_NO_KEY "\n");
	has_not(text, PRIVATE_KEY);
}

static void what_is_written_reads_back_in_every_form(void **state)
{
	struct peer_file file = laptop();

	(void)state;
	file.has_preshared = true;
	memset(file.preshared, 7, sizeof file.preshared);
	for (enum peer_form form = PEER_FORM_LINUX; form <= PEER_FORM_IOS; form++) {
		CLEAN_FREE char *text = written(&file, form, PEER_DNS_DEFAULT, form % 2);
		struct peer_file back;

		assert_int_equal(peer_file_parse(text, strlen(text), &back, NULL), 0);
		assert_memory_equal(back.private_key, file.private_key, 32);
		assert_memory_equal(back.preshared, file.preshared, 32);
		assert_memory_equal(back.gateway_key, file.gateway_key, 32);
		assert_memory_equal(&back.address, &file.address, sizeof back.address);
		assert_memory_equal(&back.dns, &file.dns, sizeof back.dns);
		assert_int_equal(back.n_ips, 1);
		assert_string_equal(back.host, "gw-dev.example.net");
		assert_int_equal(back.port, 51820);
		assert_int_equal(back.has_dns_line, form != PEER_FORM_LINUX);
		assert_int_equal(back.has_post_up, form == PEER_FORM_LINUX);
		assert_string_equal(back.name, form % 2 ? "laptop" : ""); /* the comment says it */
		assert_string_equal(back.org, form % 2 ? "acme" : "");
		assert_int_equal(back.has_form, form % 2);
	}
}

static void a_file_says_for_what_it_was_made(void **state)
{
	static const char *const not_ours[] = { "# form linux\n", "# form linux, dns\n", "# form beos, dns all\n", "# form linux, dns some\n",
						"# form ios, dns internal\n", "# form linux, dns all;\n", "form linux, dns all = 1\n" };
	struct peer_file file = laptop(), back;
	enum peer_dns dns;

	(void)state;
	for (enum peer_form form = PEER_FORM_LINUX; form <= PEER_FORM_IOS; form++)
		for (enum peer_dns wanted = PEER_DNS_DEFAULT; wanted <= PEER_DNS_ALL; wanted++) {
			CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX), draft = BUF_INIT(2 * PEER_FILE_TEXT_MAX);

			if (peer_dns_choose(form, wanted, &dns, NULL) != 0)
				continue;
			peer_file_write(&file, form, dns, true, &text);
			assert_int_equal(peer_file_parse(buf_str(&text), text.len, &back, NULL), 0);
			assert_true(back.has_form && back.form == form && back.dns_choice == dns);
			peer_file_write_draft(&back, &draft);
			assert_int_equal(peer_file_parse(buf_str(&draft), draft.len, &back, NULL), 0);
			assert_true(back.has_form && back.form == form && back.dns_choice == dns);
		}
	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++) {
		CLEAN_BUF struct buf text = BUF_INIT(256);

		buf_printf(&text, "%s[Interface]\n", not_ours[i]);
		assert_int_equal(peer_file_parse(buf_str(&text), text.len, &back, NULL), 0);
		assert_false(back.has_form);
	}
}

static void an_endpoint_may_be_an_ipv6_address_in_brackets(void **state)
{
	CLEAN_FREE char *text = NULL;
	struct peer_file file = laptop();
	char changed[sizeof reply];

	(void)state;
	snprintf(changed, sizeof changed, "%s", reply);
	memcpy(strstr(changed, "gw-dev.example.net"), "[2001:db8:0:0::11]", 18);
	take(&file, changed);
	text = written(&file, PEER_FORM_LINUX, PEER_DNS_DEFAULT, true);
	has(text, "\nEndpoint = [2001:db8:0:0::11]:51820\n");
}

/* Replaces the value of one field of the reply. */
static json_t *reply_with(const char *field, const char *value)
{
	json_t *json = json_loads(reply, 0, NULL);

	if (!strcmp(field, "allowed_ips"))
		json_object_set_new(json, field, json_pack("[s]", value));
	else
		json_object_set_new(json, field, json_string(value));
	return json;
}

static void a_reply_cannot_put_lines_or_routes_into_the_file(void **state)
{
	static const char *const bad[][2] = {
		{ "endpoint", "gw:51820\nPostUp = touch /tmp/x" }, { "endpoint", "gw" }, { "endpoint", "gw:0" }, { "endpoint", "gw:65536" },
		{ "endpoint", "$(id):51820" }, { "endpoint", "-x:51820" }, { "endpoint", "2001:db8::1:51820" }, { "endpoint", "[gw]:51820" },
		{ "endpoint", ":51820" }, { "endpoint", "gw:51820 " }, { "endpoint", "" },
		{ "dns", "192.0.2.1" }, { "dns", "2001:db8::3" }, { "dns", "fdaa::3\nPostUp = x" }, { "dns", "" },
		{ "address", "fdaa:1:2a::5\n" }, { "address", "10.0.0.1" }, { "address", "fdab::1" },
		{ "allowed_ips", "::/0" }, { "allowed_ips", "0.0.0.0/0" }, { "allowed_ips", "fdaa::/15" }, { "allowed_ips", "fdaa::/16\nPostUp = x" },
		{ "allowed_ips", "fdaa::/129" }, { "allowed_ips", "fdaa::/" }, { "allowed_ips", "fdaa::/+48" },
		{ "gateway_public_key", "" }, { "gateway_public_key", "Z2F0ZXdheQ==" }, { "gateway_public_key", GATEWAY_KEY "\n" },
	};
	struct peer_file before = laptop();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEAN_JSON json_t *json = reply_with(bad[i][0], bad[i][1]);
		struct peer_file file = before;
		struct why why = { 0 };

		if (peer_file_from_reply(&file, json, &why) != E_REFUSED)
			fail_msg("%s = \"%s\" was taken", bad[i][0], bad[i][1]);
		assert_string_equal(why.field, bad[i][0]);
		assert_memory_equal(&file, &before, sizeof file);
	}
}

static void names_in_comments_stay_on_their_line(void **state)
{
	static const char *const fields[] = { "name", "org", "network", "region", "gateway" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		CLEAN_JSON json_t *json = reply_with(fields[i], "x\nPostUp = touch /tmp/x\r\n");
		struct peer_file file = laptop();
		CLEAN_FREE char *text = NULL;

		assert_int_equal(peer_file_from_reply(&file, json, NULL), 0);
		text = written(&file, PEER_FORM_LINUX, PEER_DNS_DEFAULT, true);
		has_not(text, "\nPostUp = touch");
		has_not(text, "\rPostUp = touch");
	}
}

static void a_file_of_somebody_else_is_read_where_it_matters(void **state)
{
	static const char text[] = "\n[interface]\nprivatekey=" PRIVATE_KEY " # mine\nAddress = 10.1.2.3/24, fdaa:1:2a:ae03:2:0:a:102/120\n"
				   "DNS = fdaa:1:2a::3\n\n[Peer]\nPublicKey = " GATEWAY_KEY "\nAllowedIPs = 10.1.0.0/16, fdaa:1:2a::/48,2000::/128\n"
				   "Endpoint = 192.0.2.1:51820\n[Peer]\nPublicKey = " PRIVATE_KEY "\nEndpoint = other:1\n";
	struct peer_file file;
	char dns[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(peer_file_parse(text, strlen(text), &file, NULL), 0);
	assert_true(file.has_private && file.has_gateway_key && file.has_dns_line && !file.has_post_up);
	assert_string_equal(inet_ntop(AF_INET6, &file.dns, dns, sizeof dns), "fdaa:1:2a::3");
	assert_int_equal(file.n_ips, 1);
	assert_string_equal(file.host, "192.0.2.1"); /* of the first [Peer] */
}

static void a_broken_file_is_refused_with_its_line_and_without_its_key(void **state)
{
	static const char *const bad[] = { "[Interface]\nPrivateKey = secretsecret\n", "[Interface]\nnonsense\n", "[Other]\n",
					   "[Interface]\n[Peer]\nEndpoint = nowhere\n" };
	struct peer_file file;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct why why = { 0 };

		assert_int_equal(peer_file_parse(bad[i], strlen(bad[i]), &file, &why), E_REFUSED);
		assert_memory_equal(why.text, "line ", 5);
		has_not(why.text, "secret");
	}
	assert_int_equal(peer_file_parse("[Interface]\n\0\n", 14, &file, NULL), E_REFUSED);
}

static void a_draft_holds_the_key_is_as_big_as_any_file_and_reads_back(void **state)
{
	struct peer_file file = laptop(), back;
	CLEAN_BUF struct buf text = BUF_INIT(2 * PEER_FILE_TEXT_MAX);

	(void)state;
	peer_file_write_draft(&file, &text);
	assert_int_equal(text.len, PEER_FILE_TEXT_MAX);
	assert_int_equal(peer_file_parse(buf_str(&text), text.len, &back, NULL), 0);
	assert_memory_equal(back.private_key, file.private_key, 32);
	assert_false(back.has_gateway_key);
}

static void the_biggest_file_fits_into_its_draft(void **state)
{
	struct peer_file file = laptop();
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);

	(void)state;
	memset(file.name, 'n', sizeof file.name - 1);
	memset(file.host, 'h', sizeof file.host - 1);
	file.n_ips = PEER_FILE_IPS_MAX;
	for (size_t i = 0; i < file.n_ips; i++)
		file.ips[i] = file.ips[0];
	peer_file_write(&file, PEER_FORM_LINUX, PEER_DNS_INTERNAL, true, &text);
	assert_false(buf_failed(&text));
}

static void a_path_that_cannot_name_a_tunnel_is_refused_with_one_that_can(void **state)
{
	static const struct {
		const char *path, *proposal;
		enum peer_form form;
		bool good;
	} cases[] = {
		{ "laptop.conf", "laptop.conf", PEER_FORM_LINUX, true },
		{ "/etc/wireguard/wg-acme_1.conf", "/etc/wireguard/wg-acme_1.conf", PEER_FORM_LINUX, true },
		{ "x/exactly15chars_.conf", "x/exactly15chars_.conf", PEER_FORM_LINUX, true },
		{ "my-office-laptop-in-berlin.conf", "my-office.conf", PEER_FORM_LINUX, false },
		{ "my-office-laptop-in-berlin.conf", "my-office-laptop-in-berlin.conf", PEER_FORM_WINDOWS, true },
		{ "/tmp/sixteencharacter.conf", "/tmp/sixteencharacte.conf", PEER_FORM_MACOS, false },
		{ "laptop", "laptop.conf", PEER_FORM_LINUX, false },
		{ "my laptop.conf", "mylaptop.conf", PEER_FORM_LINUX, false },
		{ "d/.conf", "d/wg0.conf", PEER_FORM_LINUX, false },
		{ "all.conf", "wg0.conf", PEER_FORM_LINUX, false },
		{ "x/default.conf", "x/wg0.conf", PEER_FORM_LINUX, false },
		{ "\xc3\xa4.conf", "wg0.conf", PEER_FORM_LINUX, false },
	};
	char proposal[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct why why;
		int r = peer_file_check_path(cases[i].path, cases[i].form, proposal, sizeof proposal, &why);

		if ((r == 0) != cases[i].good)
			fail_msg("%s: %d", cases[i].path, r);
		assert_string_equal(proposal, cases[i].proposal);
		assert_int_equal(peer_file_check_path(proposal, cases[i].form, proposal, sizeof proposal, NULL), 0);
	}
}

static void every_form_has_its_name_and_others_are_refused(void **state)
{
	enum peer_form form;

	(void)state;
	for (enum peer_form f = PEER_FORM_LINUX; f <= PEER_FORM_IOS; f++) {
		assert_int_equal(peer_form_parse(peer_form_traits[f].name, &form), 0);
		assert_int_equal(form, f);
	}
	assert_int_equal(peer_form_parse("beos", &form), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_has_the_keys_the_slash_120_the_network_and_the_endpoint),
		cmocka_unit_test(linux_gets_no_dns_line_and_no_hook_that_could_fail),
		cmocka_unit_test(no_hook_fails_whatever_the_machine_has),
		cmocka_unit_test(split_dns_names_the_zones_and_all_dns_takes_the_root),
		cmocka_unit_test(apps_that_take_a_dns_line_get_one_unless_the_system_can_split),
		cmocka_unit_test(phones_get_a_global_route_that_makes_them_ask_for_aaaa_and_nobody_else_does),
		cmocka_unit_test(without_the_key_a_placeholder_says_where_it_belongs),
		cmocka_unit_test(what_is_written_reads_back_in_every_form),
		cmocka_unit_test(a_file_says_for_what_it_was_made),
		cmocka_unit_test(an_endpoint_may_be_an_ipv6_address_in_brackets),
		cmocka_unit_test(a_reply_cannot_put_lines_or_routes_into_the_file),
		cmocka_unit_test(names_in_comments_stay_on_their_line),
		cmocka_unit_test(a_file_of_somebody_else_is_read_where_it_matters),
		cmocka_unit_test(a_broken_file_is_refused_with_its_line_and_without_its_key),
		cmocka_unit_test(a_draft_holds_the_key_is_as_big_as_any_file_and_reads_back),
		cmocka_unit_test(the_biggest_file_fits_into_its_draft),
		cmocka_unit_test(a_path_that_cannot_name_a_tunnel_is_refused_with_one_that_can),
		cmocka_unit_test(every_form_has_its_name_and_others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

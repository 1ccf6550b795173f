/* Keys, the answer of enrolment and the count of starts, on disk. */
#include "tests/unit/node/made.h"

#include "node/identity.h"
#include "tests/unit/node/folder.h"

static const struct clock *now(void)
{
	static struct clock_virtual v = { .now_ms = 5, .real_offset_ms = 1700000000000, .seed = 1 };
	static struct clock c;

	c = clock_virtual(&v);
	return &c;
}

static int load(const struct folder *f, struct identity *id, struct why *why)
{
	memset(id, 0, sizeof *id);
	memset(why, 0, sizeof *why);
	return identity_load(f->path, now(), id, why);
}

static struct identity enrolled(const struct folder *f)
{
	struct identity id;
	struct why why;

	assert_int_equal(load(f, &id, &why), 0);
	id.host = MADE_HOST;
	id.enrolled = true;
	strcpy(id.name, "ord-1");
	strcpy(id.region, "ord");
	memset(id.controller_key, 7, sizeof id.controller_key);
	strcpy(id.controller_addresses, "ctl.example:4281, [2001:db8::1]:4281");
	return id;
}

static void the_first_start_makes_two_keys_that_stay(void **state)
{
	struct folder f = folder_new();
	struct identity a, b;
	struct why why;
	uint8_t public[32];

	(void)state;
	assert_int_equal(load(&f, &a, &why), 0);
	assert_int_equal(load(&f, &b, &why), 0);
	assert_memory_equal(a.link_private, b.link_private, 32);
	assert_memory_equal(a.mesh_private, b.mesh_private, 32);
	assert_memory_not_equal(a.mesh_private, a.link_private, 32);
	crypto_x25519_public(a.link_private, public);
	assert_memory_equal(a.link_public, public, 32);
	assert_memory_equal(b.link_public, public, 32);
	assert_false(a.enrolled);
	folder_end(&f);
}

static void a_gateway_has_a_third_key_of_its_own(void **state)
{
	struct folder f = folder_new();
	struct identity a, b;
	struct why why;

	(void)state;
	assert_int_equal(load(&f, &a, &why), 0);
	assert_false(a.has_gateway_key);
	assert_int_equal(identity_load_gateway(f.path, &a, &why), 0);
	assert_true(a.has_gateway_key);
	assert_memory_not_equal(a.gateway_private, a.mesh_private, 32);
	assert_int_equal(load(&f, &b, &why), 0);
	assert_int_equal(identity_load_gateway(f.path, &b, &why), 0);
	assert_memory_equal(a.gateway_public, b.gateway_public, 32);
	folder_end(&f);
}

static void each_start_has_a_boot_id_of_its_own(void **state)
{
	struct folder f = folder_new();
	struct identity a, b;
	struct why why;

	(void)state;
	assert_int_equal(load(&f, &a, &why), 0);
	assert_int_equal(load(&f, &b, &why), 0);
	assert_memory_not_equal(a.boot_id, b.boot_id, 16);
	folder_end(&f);
}

static void secrets_are_for_their_owner_alone_whatever_the_umask(void **state)
{
	static const struct {
		const char *name;
		unsigned mode;
	} rows[] = { { "keys", 0700 }, { "keys/link.key", 0600 }, { "keys/mesh.key", 0600 }, { "identity", 0600 }, { "boot", 0600 } };
	struct folder f = folder_new();
	struct identity id;
	struct stat st;

	(void)state;
	umask(0);
	id = enrolled(&f);
	assert_int_equal(identity_save(f.path, &id), 0);
	assert_int_equal(identity_count_boot(f.path, now(), &id), 0);
	umask(077);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(stat(folder_file(&f, rows[i].name), &st), 0);
		assert_int_equal(st.st_mode & 07777, rows[i].mode);
	}
	folder_end(&f);
}

static void a_broken_key_is_refused_and_left_alone(void **state)
{
	static const char *const broken[] = { "", "\n", "hello\n", "AAAA\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!\n",
					      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A" };
	struct folder f = folder_new();
	struct identity id;
	struct why why;

	(void)state;
	assert_int_equal(load(&f, &id, &why), 0);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		CLEAN_BUF struct buf after = BUF_INIT(0);

		folder_write(&f, "keys/mesh.key", broken[i], strlen(broken[i]));
		assert_int_equal(load(&f, &id, &why), E_REFUSED);
		assert_string_equal(why.code, "key_broken");
		after = folder_read(&f, "keys/mesh.key");
		assert_string_equal(buf_str(&after), broken[i]);
	}
	folder_end(&f);
}

static void enrolment_comes_back_as_it_was_saved(void **state)
{
	struct folder f = folder_new();
	struct identity a = enrolled(&f), b;
	struct why why;

	(void)state;
	assert_int_equal(identity_save(f.path, &a), 0);
	assert_int_equal(load(&f, &b, &why), 0);
	assert_true(b.enrolled);
	assert_int_equal(b.host, MADE_HOST);
	assert_string_equal(b.name, a.name);
	assert_string_equal(b.region, a.region);
	assert_string_equal(b.controller_addresses, a.controller_addresses);
	assert_memory_equal(b.controller_key, a.controller_key, 32);
	assert_memory_equal(b.link_private, a.link_private, 32);
	folder_end(&f);
}

#define KEY64 "0707070707070707070707070707070707070707070707070707070707070707"
#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void an_identity_that_is_not_whole_or_not_right_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"nonsense\n",
		"host = a1230007\n",
		"host = a1230007\nname = n\nregion = ord\ncontroller_addresses = c:1\n", /* no key: we would trust anybody's */
		"host = a1230007\nname = n\nregion = ord\ncontroller_key = " KEY64 "\n",
		"name = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = 00000001\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230000\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = 1a1230007\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = -5edcfff9\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230007x\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230007\nname = N!\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230007\nname = " LONG64 "\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230007\nname = n\nregion = ordx\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230007\nname = n\nregion = all\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\n",
		"host = a1230007\nname = n\nregion = ord\ncontroller_key = 07\ncontroller_addresses = c:1\n",
		"host = a1230007\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = c:1\nmore = 1\n",
	};
	struct folder f = folder_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity id;
		struct why why;

		folder_write(&f, "identity", rows[i], strlen(rows[i]));
		if (load(&f, &id, &why) != E_REFUSED)
			fail_msg("taken: %s", rows[i]);
		assert_string_equal(why.code[0] ? "said" : "", "said");
	}
	folder_end(&f);
}

static void too_many_addresses_are_refused_not_cut(void **state)
{
	struct folder f = folder_new();
	CLEAN_BUF struct buf text = BUF_INIT(0);
	struct identity id;
	struct why why;

	(void)state;
	buf_add_str(&text, "host = a1230007\nname = n\nregion = ord\ncontroller_key = " KEY64 "\ncontroller_addresses = ");
	for (size_t i = 0; i < IDENTITY_ADDRESSES_MAX; i++)
		buf_add_str(&text, "a");
	folder_write(&f, "identity", text.data, text.len);
	assert_int_equal(load(&f, &id, &why), E_REFUSED);
	folder_end(&f);
}

static uint64_t boot(const struct folder *f)
{
	struct identity id = { 0 };

	assert_int_equal(identity_count_boot(f->path, now(), &id), 0);
	return id.boot_count;
}

static void every_start_counts_one_more(void **state)
{
	struct folder f = folder_new();
	uint64_t first = boot(&f);

	(void)state;
	for (uint64_t i = 1; i < 5; i++)
		assert_int_equal(boot(&f), first + i);
	folder_end(&f);
}

static void a_lost_or_broken_count_is_replaced_by_time_so_that_it_does_not_fall(void **state)
{
	static const char *const broken[] = { "", "x\n", "-3\n", "12 monkeys\n", "99999999999999999999999\n", "18446744073709551615\n",
					      "1111111111111111111111111111111111111111111\n" };
	struct folder f = folder_new();

	(void)state;
	assert_true(boot(&f) > 1700000000);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		folder_write(&f, "boot", broken[i], strlen(broken[i]));
		assert_int_equal(boot(&f), 1700000001);
	}
	folder_end(&f);
}

static void a_count_that_cannot_be_written_is_an_error(void **state)
{
	struct folder f = folder_new();
	struct identity id = { 0 };

	(void)state;
	assert_int_equal(mkdir(folder_file(&f, "boot.tmp"), 0700), 0);
	assert_true(identity_count_boot(f.path, now(), &id) < 0);
	folder_end(&f);
}

static void wiping_leaves_no_private_key(void **state)
{
	struct folder f = folder_new();
	struct identity id = enrolled(&f);
	const uint8_t zeros[32] = { 0 };

	(void)state;
	identity_wipe(&id);
	assert_memory_equal(id.link_private, zeros, 32);
	assert_memory_equal(id.mesh_private, zeros, 32);
	folder_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_start_makes_two_keys_that_stay),
		cmocka_unit_test(a_gateway_has_a_third_key_of_its_own),
		cmocka_unit_test(each_start_has_a_boot_id_of_its_own),
		cmocka_unit_test(secrets_are_for_their_owner_alone_whatever_the_umask),
		cmocka_unit_test(a_broken_key_is_refused_and_left_alone),
		cmocka_unit_test(enrolment_comes_back_as_it_was_saved),
		cmocka_unit_test(an_identity_that_is_not_whole_or_not_right_is_refused),
		cmocka_unit_test(too_many_addresses_are_refused_not_cut),
		cmocka_unit_test(every_start_counts_one_more),
		cmocka_unit_test(a_lost_or_broken_count_is_replaced_by_time_so_that_it_does_not_fall),
		cmocka_unit_test(a_count_that_cannot_be_written_is_an_error),
		cmocka_unit_test(wiping_leaves_no_private_key),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

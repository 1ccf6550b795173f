/* Which names exist, what they answer, and which addresses are in a sample. */
#include "tests/unit/lib/dns/fixture.h"

static const char *const apps[] = { "shop", "empty", "resting", "hidden", NULL };

static struct dns_zone *shop_zone(void)
{
	const struct dns_instance all[] = {
		instance(2, "shop", "nrt", 0xA2220001, true, false), instance(1, "shop", "ord", 0xA1110002, true, false),
		instance(3, "shop", "iad", 0xA3330001, false, false), instance(4, "resting", "ord", 0xA1110002, false, false),
		instance(5, "hidden", "ord", 0xA1110002, true, true), instance(6, "unlisted", "xyz", 0xA4440001, true, false),
	};

	return zone_of(all, ARRAY_LEN(all), apps, 0x100000009);
}

#define SHOP_ORD "fdaa:1234:5678:a111:2:1:1:2"
#define SHOP_NRT "fdaa:1234:5678:a222:1:1:2:2"
#define NOTHING "NOERROR / internal."
#define NEVER "NXDOMAIN / internal."

struct row {
	const char *name;
	uint16_t type;
	const char *answer;
};

static const struct row rows[] = {
	{ "shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD " AAAA " SHOP_NRT },
	{ "SHOP.InterNal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD " AAAA " SHOP_NRT },
	{ "global.shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD " AAAA " SHOP_NRT },
	{ "ord.shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD },
	{ "nrt.shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_NRT },
	{ "00000000000001.vm.shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD },
	{ "00000000000002.vm.shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_NRT },
	{ "xyz.unlisted.internal", DNS_TYPE_AAAA, "NOERROR AAAA fdaa:1234:5678:a444:1:1:6:2" },
	/* the other family, other types: there is a name, but nothing of the sort */
	{ "shop.internal", DNS_TYPE_A, NOTHING },
	{ "shop.internal", 65, NOTHING },
	{ "shop.internal", 5, NOTHING },
	{ "shop.internal", 64000, NOTHING },
	{ "00000000000001.vm.shop.internal", DNS_TYPE_A, NOTHING },
	{ "shop.internal", DNS_TYPE_ANY, "NOERROR HINFO \"RFC8482\" \"\"" },
	/* names that exist without an address */
	{ "vm.shop.internal", DNS_TYPE_AAAA, NOTHING },
	{ "vm.empty.internal", DNS_TYPE_AAAA, NOTHING },
	{ "iad.shop.internal", DNS_TYPE_AAAA, NOTHING }, /* only a stopped one */
	{ "lhr.shop.internal", DNS_TYPE_AAAA, NOTHING }, /* a region without the app */
	{ "lhr.shop.internal", DNS_TYPE_TXT, NOTHING },
	{ "xyz.shop.internal", DNS_TYPE_AAAA, NOTHING }, /* known from an instance of another app */
	{ "00000000000003.vm.shop.internal", DNS_TYPE_AAAA, NOTHING },
	{ "resting.internal", DNS_TYPE_AAAA, NOTHING },
	{ "resting.internal", DNS_TYPE_TXT, NOTHING },
	{ "empty.internal", DNS_TYPE_AAAA, NOTHING },
	{ "global.empty.internal", DNS_TYPE_AAAA, NOTHING },
	{ "hidden.internal", DNS_TYPE_AAAA, NOTHING },
	/* names that never were */
	{ "shopp.internal", DNS_TYPE_AAAA, NEVER },
	{ "hop.internal", DNS_TYPE_AAAA, NEVER },
	{ "qqq.shop.internal", DNS_TYPE_AAAA, NEVER }, /* no region */
	{ "or.shop.internal", DNS_TYPE_AAAA, NEVER },
	{ "ord.nothing.internal", DNS_TYPE_AAAA, NEVER },
	{ "ord.vms.shop.internal", DNS_TYPE_AAAA, NEVER },
	{ "ord.ord.shop.internal", DNS_TYPE_AAAA, NEVER },
	{ "ord.internal", DNS_TYPE_AAAA, NEVER },
	{ "x.00000000000001.vm.shop.internal", DNS_TYPE_AAAA, NEVER },
	{ "00000000000001.vm.empty.internal", DNS_TYPE_AAAA, NEVER },
	{ "00000000000005.vm.hidden.internal", DNS_TYPE_AAAA, NEVER }, /* skips DNS */
	{ "00000000000009.vm.shop.internal", DNS_TYPE_AAAA, NEVER },
	{ "all.shop.internal", DNS_TYPE_TXT, NEVER },
	{ "_peer.internal", DNS_TYPE_TXT, NOTHING }, /* no peer yet: no false NXDOMAIN */
	{ "p2._instances.internal", DNS_TYPE_TXT, NEVER },
	/* lists */
	{ "shop.internal", DNS_TYPE_TXT, "NOERROR TXT \"nrt,ord\"" },
	{ "regions.shop.internal", DNS_TYPE_TXT, "NOERROR TXT \"nrt,ord\"" },
	{ "all.regions.shop.internal", DNS_TYPE_TXT, "NOERROR TXT \"iad,nrt,ord\"" },
	{ "vms.shop.internal", DNS_TYPE_TXT, "NOERROR TXT \"00000000000001 ord,00000000000002 nrt\"" },
	{ "all.vms.shop.internal", DNS_TYPE_TXT, "NOERROR TXT \"00000000000001 ord,00000000000002 nrt,00000000000003 iad\"" },
	{ "vms.resting.internal", DNS_TYPE_TXT, NOTHING },
	{ "all.vms.resting.internal", DNS_TYPE_TXT, "NOERROR TXT \"00000000000004 ord\"" },
	{ "all.vms.hidden.internal", DNS_TYPE_TXT, NOTHING },
	{ "vms.shop.internal", DNS_TYPE_AAAA, NOTHING },
	{ "_apps.internal", DNS_TYPE_TXT, "NOERROR TXT \"empty,hidden,resting,shop,unlisted\"" },
	{ "_instances.internal", DNS_TYPE_TXT,
	  "NOERROR TXT \"instance=00000000000001,app=shop,ip=" SHOP_ORD ",region=ord;instance=00000000000002,app=shop,ip=" SHOP_NRT
	  ",region=nrt;instance=00000000000006,app=unlisted,ip=fdaa:1234:5678:a444:1:1:6:2,region=xyz\"" },
	/* the top of each tree */
	{ "internal", DNS_TYPE_SOA, "NOERROR SOA internal. hostmaster.internal. 9 5 5 86400 5" },
	{ "internal", DNS_TYPE_NS, "NOERROR NS internal." },
	{ "internal", DNS_TYPE_AAAA, "NOERROR AAAA fdaa::3" },
	{ "internal", DNS_TYPE_TXT, NOTHING },
	{ "internal", DNS_TYPE_ANY, "NOERROR HINFO \"RFC8482\" \"\"" },
	{ "flycast", DNS_TYPE_SOA, "NOERROR SOA internal. hostmaster.internal. 9 5 5 86400 5" },
	{ "flycast", DNS_TYPE_AAAA, "NOERROR / flycast." },
	{ "shop.flycast", DNS_TYPE_AAAA, "NXDOMAIN / flycast." },
	/* backwards */
	{ "2.0.0.0.1.0.0.0.1.0.0.0.2.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR,
	  "NOERROR PTR 00000000000001.vm.shop.internal." },
	{ "2.0.0.0.1.0.0.0.1.0.0.0.2.0.0.0.1.1.1.A.8.7.6.5.4.3.2.1.A.a.d.f.IP6.arpa", DNS_TYPE_PTR,
	  "NOERROR PTR 00000000000001.vm.shop.internal." },
	{ "2.0.0.0.1.0.0.0.1.0.0.0.2.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_AAAA, "NOERROR / a.a.d.f.ip6.arpa." },
	{ "3.0.0.0.1.0.0.0.1.0.0.0.2.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "2.0.0.0.5.0.0.0.1.0.0.0.2.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NOERROR / a.a.d.f.ip6.arpa." },
	{ "8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NOERROR / a.a.d.f.ip6.arpa." },
	{ "9.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "f.f.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "g.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "12.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "0.2.0.0.0.1.0.0.0.1.0.0.0.2.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	{ "a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NOERROR / a.a.d.f.ip6.arpa." },
	{ "a.a.d.f.ip6.arpa", DNS_TYPE_NS, "NOERROR NS internal." },
};

static void every_name_answers_as_written(void **state)
{
	struct dns_zone *z = shop_zone();
	char text[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(ask_zone(z, rows[i].name, rows[i].type, text, sizeof text), rows[i].answer))
			fail_msg("%s type %u:\n  is     %s\n  should %s", rows[i].name, rows[i].type, text, rows[i].answer);
	dns_zone_free(z);
}

/* -- peers -- */

#define LAPTOP "fdaa:1234:5678:a111:1:0:a:2"
#define OFFICE "fdaa:1234:5678:a222:1:0:b:ff02"

static struct dns_peer peer(const char *label, uint32_t gateway, uint32_t instance, uint8_t slot, bool answers)
{
	struct addr_parts parts = { NET, gateway, instance, (uint16_t)(slot << 8 | 2) };
	struct dns_peer p = { .address = addr_natural(parts), .answers = answers };

	snprintf(p.label, sizeof p.label, "%s", label);
	return p;
}

static struct dns_zone *zone_of_peers(const struct dns_peer *peers, size_t n)
{
	struct dns_instance shop = instance(1, "laptop", "ord", 0xA1110002, true, false);
	struct dns_zone_input in = { .network = NET, .v = 1, .instances = &shop, .n_instances = 1, .peers = peers, .n_peers = n };
	struct dns_zone *z = NULL;

	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	return z;
}

static void peers_have_names_of_their_own(void **state)
{
	static const struct row peer_rows[] = {
		{ "laptop._peer.internal", DNS_TYPE_AAAA, "NOERROR AAAA " LAPTOP },
		{ "LapTop._PEER.internal", DNS_TYPE_AAAA, "NOERROR AAAA " LAPTOP },
		{ "office-2._peer.internal", DNS_TYPE_AAAA, "NOERROR AAAA " OFFICE },
		{ "laptop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD }, /* an app of the same name */
		{ "laptop._peer.internal", DNS_TYPE_A, NOTHING },
		{ "laptop._peer.internal", DNS_TYPE_TXT, NOTHING },
		{ "laptop._peer.internal", DNS_TYPE_ANY, "NOERROR HINFO \"RFC8482\" \"\"" },
		{ "gone._peer.internal", DNS_TYPE_AAAA, NOTHING }, /* suspended */
		{ "nobody._peer.internal", DNS_TYPE_AAAA, NEVER },
		{ "x.laptop._peer.internal", DNS_TYPE_AAAA, NEVER },
		{ "ord.laptop._peer.internal", DNS_TYPE_AAAA, NEVER },
		{ "_peer.internal", DNS_TYPE_TXT, "NOERROR TXT \"laptop,office-2\"" },
		{ "_peer.internal", DNS_TYPE_AAAA, NOTHING },
		{ "_peer.internal", DNS_TYPE_A, NOTHING },
		{ "p2._peer.internal", DNS_TYPE_TXT, NEVER },
		{ "2.0.0.0.a.0.0.0.0.0.0.0.1.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR,
		  "NOERROR PTR laptop._peer.internal." },
		{ "2.0.f.f.b.0.0.0.0.0.0.0.1.0.0.0.2.2.2.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR,
		  "NOERROR PTR office-2._peer.internal." },
		{ "0.0.0.0.a.0.0.0.0.0.0.0.1.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
		{ "a.0.0.0.0.0.0.0.1.0.0.0.1.1.1.a.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NOERROR / a.a.d.f.ip6.arpa." },
		{ "_apps.internal", DNS_TYPE_TXT, "NOERROR TXT \"laptop\"" },
		{ "all._instances.internal", DNS_TYPE_TXT,
		  "NOERROR TXT \"instance=00000000000001,app=laptop,ip=" SHOP_ORD ",region=ord\"" },
	};
	const struct dns_peer peers[] = { peer("office-2", 0xA2220001, 0xb, 255, true), peer("gone", HERE, 0xa, 1, false),
					  peer("laptop", HERE, 0xa, 0, true) };
	struct dns_zone *z = zone_of_peers(peers, ARRAY_LEN(peers));
	char text[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peer_rows); i++)
		if (strcmp(ask_zone(z, peer_rows[i].name, peer_rows[i].type, text, sizeof text), peer_rows[i].answer))
			fail_msg("%s type %u:\n  is     %s\n  should %s", peer_rows[i].name, peer_rows[i].type, text, peer_rows[i].answer);
	dns_zone_free(z);
}

static struct dns_instance far_instance(unsigned n, const char *alias, const char *region, uint32_t host, bool answers)
{
	struct dns_instance i = instance(n, alias, region, host, answers, false);

	i.far = true;
	i.address = addr_instance(OTHER_NET, host, 0x10000 + n);
	return i;
}

#define DB_ORD "fdaa:ab:cdef:a111:2:1:7:2"
#define DB_NRT "fdaa:ab:cdef:a222:1:1:8:2"

static void an_alias_has_the_names_of_an_app_and_tells_nothing_of_single_instances(void **state)
{
	static const struct row alias_rows[] = {
		{ "db.internal", DNS_TYPE_AAAA, "NOERROR AAAA " DB_ORD " AAAA " DB_NRT },
		{ "global.db.internal", DNS_TYPE_AAAA, "NOERROR AAAA " DB_ORD " AAAA " DB_NRT },
		{ "nrt.db.internal", DNS_TYPE_AAAA, "NOERROR AAAA " DB_NRT },
		{ "iad.db.internal", DNS_TYPE_AAAA, NOTHING }, /* only a stopped one */
		{ "top1.nearest.of.db.internal", DNS_TYPE_AAAA, "NOERROR AAAA " DB_ORD },
		{ "db.internal", DNS_TYPE_TXT, "NOERROR TXT \"nrt,ord\"" },
		{ "regions.db.internal", DNS_TYPE_TXT, "NOERROR TXT \"nrt,ord\"" },
		{ "db.internal", DNS_TYPE_A, NOTHING },
		{ "idle.internal", DNS_TYPE_AAAA, NOTHING }, /* the rule is there, no instance yet */
		{ "idle.internal", DNS_TYPE_TXT, NOTHING },
		{ "shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD }, /* our own hides an alias of that name */
		{ "vms.shop.internal", DNS_TYPE_TXT, "NOERROR TXT \"00000000000001 ord\"" },
		/* nothing of single ones */
		{ "vms.db.internal", DNS_TYPE_TXT, NEVER },
		{ "all.vms.db.internal", DNS_TYPE_TXT, NEVER },
		{ "all.regions.db.internal", DNS_TYPE_TXT, NEVER },
		{ "vm.db.internal", DNS_TYPE_AAAA, NEVER },
		{ "00000000000007.vm.db.internal", DNS_TYPE_AAAA, NEVER },
		{ "app.process.db.internal", DNS_TYPE_AAAA, NEVER },
		{ "other.internal", DNS_TYPE_AAAA, NEVER }, /* instances of no alias */
		/* and in no list */
		{ "_apps.internal", DNS_TYPE_TXT, "NOERROR TXT \"shop\"" },
		{ "_instances.internal", DNS_TYPE_TXT, "NOERROR TXT \"instance=00000000000001,app=shop,ip=" SHOP_ORD ",region=ord\"" },
		{ "all._instances.internal", DNS_TYPE_TXT, "NOERROR TXT \"instance=00000000000001,app=shop,ip=" SHOP_ORD ",region=ord\"" },
		{ "2.0.0.0.7.0.0.0.1.0.0.0.2.0.0.0.1.1.1.a.f.e.d.c.b.a.0.0.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	};
	const struct dns_instance all[] = {
		instance(1, "shop", "ord", 0xA1110002, true, false), far_instance(7, "db", "ord", 0xA1110002, true),
		far_instance(8, "db", "nrt", 0xA2220001, true),	     far_instance(9, "db", "iad", 0xA3330001, false),
		far_instance(10, "shop", "ord", 0xA1110002, true),   far_instance(11, "other", "ord", 0xA1110002, true),
	};
	static const char *const own[] = { "shop" }, *const aliases[] = { "shop", "idle", "db" };
	struct dns_zone_input in = { .network = NET, .v = 9, .apps = own, .n_apps = 1, .instances = all, .n_instances = ARRAY_LEN(all),
				     .aliases = aliases, .n_aliases = ARRAY_LEN(aliases) };
	struct dns_zone *z = NULL;
	char text[4096];

	(void)state;
	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	for (size_t i = 0; i < ARRAY_LEN(alias_rows); i++)
		if (strcmp(ask_zone(z, alias_rows[i].name, alias_rows[i].type, text, sizeof text), alias_rows[i].answer))
			fail_msg("%s type %u:\n  is     %s\n  should %s", alias_rows[i].name, alias_rows[i].type, text, alias_rows[i].answer);
	dns_zone_free(z);
}

static void a_peer_that_cannot_be_is_refused(void **state)
{
	struct dns_peer bad[] = { peer("a.b", HERE, 0xa, 0, true), peer("", HERE, 0xa, 0, true), peer("a", HERE, 0xa, 0, true),
				  peer("a", HERE, 0xa, 0, true) };
	struct dns_zone *z = NULL;

	(void)state;
	bad[2].address = addr_instance(OTHER_NET, HERE, 0xa);
	memset(bad[3].label, 'a', sizeof bad[3].label);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct dns_zone_input in = { .network = NET, .peers = &bad[i], .n_peers = 1 };

		assert_int_equal(dns_zone_build(&in, &fixture_here, &z), -EINVAL);
		assert_null(z);
	}
}

static struct dns_flycast flycast(const char *app, uint32_t number)
{
	struct dns_flycast f = { .address = addr_flycast(NET, number) };

	snprintf(f.app, sizeof f.app, "%s", app);
	return f;
}

static void reserved_addresses_have_names_below_flycast_alone(void **state)
{
	static const struct row flycast_rows[] = {
		{ "shop.flycast", DNS_TYPE_AAAA, "NOERROR AAAA fdaa:1234:5678:0:1::2" },
		{ "Shop.FlyCast", DNS_TYPE_AAAA, "NOERROR AAAA fdaa:1234:5678:0:1::2" },
		{ "elsewhere.flycast", DNS_TYPE_AAAA, "NOERROR AAAA fdaa:1234:5678:0:1::7" }, /* of an app of another network */
		{ "shop.flycast", DNS_TYPE_A, "NOERROR / flycast." },
		{ "shop.flycast", DNS_TYPE_TXT, "NOERROR / flycast." },
		{ "shop.flycast", DNS_TYPE_ANY, "NOERROR HINFO \"RFC8482\" \"\"" },
		{ "resting.flycast", DNS_TYPE_AAAA, "NXDOMAIN / flycast." }, /* an app without one */
		{ "ord.shop.flycast", DNS_TYPE_AAAA, "NXDOMAIN / flycast." },
		{ "shop.internal", DNS_TYPE_AAAA, "NOERROR AAAA " SHOP_ORD },
		{ "elsewhere.internal", DNS_TYPE_AAAA, NEVER },
		{ "2.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NOERROR PTR shop.flycast." },
		{ "3.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN / a.a.d.f.ip6.arpa." },
	};
	struct dns_flycast list[] = { flycast("shop", 2), flycast("elsewhere", 7), flycast("two", 9), flycast("two", 8) };
	struct dns_instance shop = instance(1, "shop", "ord", 0xA1110002, true, false);
	const char *const idle[] = { "resting" };
	struct dns_zone_input in = { .network = NET, .v = 1, .instances = &shop, .n_instances = 1, .apps = idle, .n_apps = 1, .flycasts = list,
				     .n_flycasts = ARRAY_LEN(list) };
	struct dns_zone *z = NULL;
	char text[4096], again[4096];

	(void)state;
	assert_int_equal(dns_zone_build(&in, &fixture_here, &z), 0);
	for (size_t i = 0; i < ARRAY_LEN(flycast_rows); i++)
		if (strcmp(ask_zone(z, flycast_rows[i].name, flycast_rows[i].type, text, sizeof text), flycast_rows[i].answer))
			fail_msg("%s type %u:\n  is     %s\n  should %s", flycast_rows[i].name, flycast_rows[i].type, text, flycast_rows[i].answer);
	/* both, taking turns */
	ask_zone(z, "two.flycast", DNS_TYPE_AAAA, text, sizeof text);
	ask_zone(z, "two.flycast", DNS_TYPE_AAAA, again, sizeof again);
	assert_non_null(strstr(text, "0:1::8"));
	assert_non_null(strstr(text, "0:1::9"));
	assert_string_not_equal(text, again);
	dns_zone_free(z);
	for (int i = 0; i < 3; i++) {
		struct dns_flycast bad = flycast(i == 0 ? "" : i == 1 ? "a.b" : "shop", 2);

		if (i == 2)
			bad.address = addr_instance(NET, 0xA1110002, 0x10000);
		in.flycasts = &bad;
		in.n_flycasts = 1;
		assert_int_equal(dns_zone_build(&in, &fixture_here, &z), -EINVAL);
	}
}

static void the_tree_of_a_name_is_found_by_labels(void **state)
{
	uint8_t key[DNS_NAME_MAX];
	static const struct {
		const char *name;
		enum dns_tree tree;
	} trees[] = {
		{ "internal", DNS_TREE_INTERNAL },       { "a.b.internal", DNS_TREE_INTERNAL },     { "xinternal", DNS_TREE_OTHER },
		{ "internal.com", DNS_TREE_OTHER },      { "a.flycast", DNS_TREE_FLYCAST },         { "", DNS_TREE_OTHER },
		{ "1.a.a.d.f.ip6.arpa", DNS_TREE_REVERSE }, { "b.a.d.f.ip6.arpa", DNS_TREE_OTHER }, { "ip6.arpa", DNS_TREE_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		assert_int_equal(dns_tree_of(key, dns_name_from_text(trees[i].name, key)), trees[i].tree);
	/* one label of nine octets that ends like the suffix */
	assert_int_equal(dns_tree_of((const uint8_t *)"\11\10internal", 11), DNS_TREE_OTHER);
}

/* The AAAA answers of a name as the last word of the instance field, which is the instance's number; 0-ended. */
static size_t sample(const struct dns_zone *z, const char *name, unsigned ret[64])
{
	char text[4096], *word, *rest;
	size_t n = 0;

	for (word = strtok_r((char *)(uintptr_t)ask_zone(z, name, DNS_TYPE_AAAA, text, sizeof text), " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		struct in6_addr a;
		struct addr_parts parts;

		if (inet_pton(AF_INET6, word, &a) == 1 && addr_split(&a, &parts) == 0)
			ret[n++] = parts.instance - 0x10000;
	}
	return n;
}

static void up_to_three_in_the_nearest_region_gives_everybody_nearest_first(void **state)
{
	/* 3 in dev (40 km; nobody in ord), 2 in iad, 1 in lhr, 2 in nrt */
	const struct dns_instance all[] = {
		instance(1, "a", "nrt", 0xA2220001, true, false), instance(2, "a", "nrt", 0xA2220002, true, false),
		instance(3, "a", "iad", 0xA3330001, true, false), instance(4, "a", "dev", 0xA4440001, true, false),
		instance(5, "a", "iad", 0xA3330002, true, false), instance(6, "a", "dev", 0xA4440002, true, false),
		instance(7, "a", "lhr", 0xA5550001, true, false), instance(8, "a", "dev", 0xA4440003, true, false),
		instance(9, "a", "ord", 0xA1110001, false, false),
	};
	struct dns_zone *z = zone_of(all, ARRAY_LEN(all), NULL, 1);
	bool first_was[64] = { false };

	(void)state;
	for (int turn = 0; turn < 12; turn++) {
		unsigned got[64];

		assert_int_equal(sample(z, "a.internal", got), 8);
		for (size_t i = 0; i < 3; i++)
			assert_true(got[i] == 4 || got[i] == 6 || got[i] == 8);
		for (size_t i = 3; i < 5; i++)
			assert_true(got[i] == 3 || got[i] == 5);
		assert_int_equal(got[5], 7);
		first_was[got[0]] = true;
	}
	/* programs that take the first one spread over the region */
	assert_true(first_was[4] && first_was[6] && first_was[8]);
	dns_zone_free(z);
}

static void everybody_means_at_most_sixteen(void **state)
{
	struct dns_instance all[40];
	struct dns_zone *z;
	bool seen[64] = { false };

	(void)state;
	all[0] = instance(1, "a", "ord", 0xA1110005, true, false);
	for (unsigned i = 1; i < 10; i++)
		all[i] = instance(i + 1, "a", "iad", 0xA3330000 + i, true, false);
	for (unsigned i = 10; i < 40; i++)
		all[i] = instance(i + 1, "a", "nrt", 0xA2220000 + i, true, false);
	z = zone_of(all, 40, NULL, 1);
	for (int turn = 0; turn < 40; turn++) {
		unsigned got[64];

		assert_int_equal(sample(z, "a.internal", got), 16);
		assert_int_equal(got[0], 1);
		for (size_t i = 1; i < 10; i++)
			assert_true(got[i] >= 2 && got[i] <= 10);
		for (size_t i = 10; i < 16; i++) {
			assert_true(got[i] > 10);
			seen[got[i]] = true;
		}
	}
	for (unsigned i = 11; i <= 40; i++)
		assert_true(seen[i]); /* who is cut off changes */
	dns_zone_free(z);
}

static struct dns_instance in_group(struct dns_instance i, const char *group)
{
	snprintf(i.group, sizeof i.group, "%s", group);
	return i;
}

/* web: 2 in nrt, 1 in ord, 1 stopped in lhr; work: 4 in iad; db: stopped; one of another app with a group of that name. */
static struct dns_zone *zone_of_groups(void)
{
	const struct dns_instance all[] = {
		in_group(instance(1, "a", "nrt", 0xA2220001, true, false), "web"),
		in_group(instance(2, "a", "iad", 0xA3330002, true, false), "work"),
		in_group(instance(3, "a", "ord", 0xA1110005, true, false), "web"),
		in_group(instance(4, "a", "lhr", 0xA5550001, false, false), "web"),
		in_group(instance(5, "a", "iad", 0xA3330005, true, false), "work"),
		in_group(instance(6, "a", "iad", 0xA3330006, true, false), "work"),
		in_group(instance(7, "a", "iad", 0xA3330007, true, false), "work"),
		in_group(instance(8, "a", "nrt", 0xA2220002, true, false), "web"),
		in_group(instance(9, "a", "nrt", 0xA2220002, false, false), "db"),
		in_group(instance(10, "a", "nrt", 0xA2220002, true, true), "skips"),
		in_group(instance(11, "b", "nrt", 0xA2220003, true, false), "web"),
		in_group(instance(12, "b", "nrt", 0xA2220003, true, false), "x.y"),
	};

	return zone_of(all, ARRAY_LEN(all), NULL, 1);
}

static void a_process_group_is_named_by_the_rule_of_its_app(void **state)
{
	struct dns_zone *z = zone_of_groups();
	bool seen[64] = { false };
	char text[1024];

	(void)state;
	for (int turn = 0; turn < 8; turn++) {
		unsigned got[64];

		assert_int_equal(sample(z, "web.process.a.internal", got), 3); /* one in the nearest: all, nearest first */
		assert_int_equal(got[0], 3);
		assert_true((got[1] == 1 && got[2] == 8) || (got[1] == 8 && got[2] == 1));
		assert_int_equal(sample(z, "WORK.Process.a.internal", got), 3); /* four in the nearest: three of them */
		for (size_t i = 0; i < 3; i++)
			seen[got[i]] = true;
		assert_int_equal(sample(z, "web.process.b.internal", got), 1);
		assert_int_equal(got[0], 11);
		assert_int_equal(sample(z, "a.internal", got), 7); /* the app itself as ever: one in ord, then all */
	}
	assert_true(seen[2] && seen[5] && seen[6] && seen[7]);
	assert_string_equal(ask_zone(z, "db.process.a.internal", DNS_TYPE_AAAA, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "web.process.a.internal", DNS_TYPE_A, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "process.a.internal", DNS_TYPE_AAAA, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "work.process.b.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	assert_string_equal(ask_zone(z, "skips.process.a.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	assert_string_equal(ask_zone(z, "x.web.process.a.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	assert_string_equal(ask_zone(z, "nrt.process.a.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	assert_string_equal(ask_zone(z, "process.nobody.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	assert_string_equal(ask_zone(z, "web.process.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	dns_zone_free(z);
}

static void the_nearest_n_are_exactly_these(void **state)
{
	struct dns_zone *z = zone_of_groups();
	static const struct {
		const char *name, *answer;
	} others[] = {
		{ "nearest.of.a.internal", NOTHING },	  { "of.a.internal", NOTHING },		   { "top0.nearest.of.a.internal", NEVER },
		{ "top.nearest.of.a.internal", NEVER },	  { "top01.nearest.of.a.internal", NEVER }, { "top1000.nearest.of.a.internal", NEVER },
		{ "topx.nearest.of.a.internal", NEVER },  { "top1x.nearest.of.a.internal", NEVER }, { "tip1.nearest.of.a.internal", NEVER },
		{ "top1.nearest.a.internal", NEVER },	  { "top1.of.a.internal", NEVER },	   { "top1.a.internal", NEVER },
		{ "top1.nearest.of.internal", NEVER },	  { "nearest.of.internal", NEVER },	   { "top1.nearest.of.nobody.internal", NEVER },
		{ "x.top1.nearest.of.a.internal", NEVER }, { "top1.nearest.of.vm.a.internal", NEVER },
		{ "top1.nearest.of.global.a.internal", NEVER },
	};
	unsigned got[64];
	bool second[64] = { false };
	char text[1024];

	(void)state;
	for (int turn = 0; turn < 8; turn++) {
		assert_int_equal(sample(z, "top2.Nearest.of.a.internal", got), 2);
		assert_int_equal(got[0], 3);
		second[got[1]] = true;
	}
	for (int turn = 0; turn < 8; turn++) {
		assert_int_equal(sample(z, "top1.nearest.of.a.internal", got), 1);
		assert_int_equal(got[0], 3);
		assert_int_equal(sample(z, "top5.nearest.of.a.internal", got), 5); /* more than three of a region, if that is the nearest */
		for (size_t i = 1; i < 5; i++)
			assert_true(got[i] == 2 || (got[i] >= 5 && got[i] <= 7));
		assert_int_equal(sample(z, "top999.nearest.of.a.internal", got), 7);
		assert_true(got[5] == 1 || got[5] == 8);
	}
	assert_true(second[2] && second[5] && second[6] && second[7]); /* equal ones take turns */
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(ask_zone(z, others[i].name, DNS_TYPE_AAAA, text, sizeof text), others[i].answer))
			fail_msg("%s: %s", others[i].name, text);
	assert_string_equal(ask_zone(z, "top2.nearest.of.a.internal", DNS_TYPE_A, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "top2.nearest.of.a.internal", DNS_TYPE_TXT, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "top2.nearest.of.a.internal", DNS_TYPE_ANY, text, sizeof text), "NOERROR HINFO \"RFC8482\" \"\"");
	dns_zone_free(z);
}

/* n in ord of which `own` on our host, and one in nrt that must never be seen. */
static void check_near(unsigned n, unsigned own, const char *name)
{
	struct dns_instance all[32];
	unsigned times[64] = { 0 }, least = ~0u;
	struct dns_zone *z;

	for (unsigned i = 0; i < n; i++)
		all[i] = instance(i + 1, "a", "ord", i < own ? HERE : 0xA1110100 + i, true, false);
	all[n] = instance(60, "a", "nrt", 0xA2220001, true, false);
	z = zone_of(all, n + 1, NULL, 1);
	for (unsigned turn = 0; turn < 60; turn++) {
		unsigned got[64];
		bool own_there = own == 0;

		assert_int_equal(sample(z, name, got), 3);
		for (size_t i = 0; i < 3; i++) {
			assert_in_range(got[i], 1, n);
			times[got[i]]++;
			own_there |= got[i] <= own;
			for (size_t k = 0; k < i; k++)
				assert_int_not_equal(got[i], got[k]);
		}
		assert_true(own_there);
	}
	for (unsigned i = 1; i <= n; i++)
		least = times[i] < least ? times[i] : least;
	assert_true(least >= 60 / n - 1); /* nobody is left out */
	dns_zone_free(z);
}

static void more_than_three_in_the_nearest_region_gives_three_of_it_in_rotation(void **state)
{
	(void)state;
	check_near(4, 0, "a.internal");
	check_near(10, 0, "a.internal");
	check_near(10, 0, "global.a.internal");
	check_near(7, 0, "ord.a.internal");
}

static void the_askers_own_host_is_always_in_the_sample(void **state)
{
	(void)state;
	for (unsigned n = 4; n < 12; n++)
		for (unsigned own = 1; own <= n; own++) {
			check_near(n, own, "a.internal");
			check_near(n, own, "ord.a.internal");
		}
}

static void a_far_region_is_sampled_by_the_same_rule(void **state)
{
	struct dns_instance all[10];
	struct dns_zone *z;
	unsigned got[64];

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		all[i] = instance(i + 1, "a", "nrt", 0xA2220001 + i, true, false);
	all[9] = instance(10, "a", "ord", 0xA1110007, true, false);
	z = zone_of(all, 10, NULL, 1);
	assert_int_equal(sample(z, "nrt.a.internal", got), 3);
	assert_int_equal(sample(z, "ord.a.internal", got), 1);
	assert_int_equal(sample(z, "a.internal", got), 10);
	assert_int_equal(got[0], 10);
	dns_zone_free(z);
}

static void input_that_cannot_be_is_refused(void **state)
{
	struct dns_instance good = instance(1, "a", "ord", HERE, true, false), bad;
	struct dns_zone *z = NULL;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct dns_zone_input in = { .network = NET, .instances = &bad, .n_instances = 1 };

		bad = good;
		if (i == 0)
			bad.address = addr_instance(OTHER_NET, HERE, 0x10001);
		else if (i == 1)
			strcpy(bad.region, "or");
		else if (i == 2)
			strcpy(bad.app, "a.b");
		else if (i == 3)
			bad.far = true; /* with an address of this network */
		else
			bad.app[0] = 0;
		assert_int_equal(dns_zone_build(&in, &fixture_here, &z), -EINVAL);
		assert_null(z);
	}
}

static void a_zone_of_nothing_is_a_zone(void **state)
{
	struct dns_zone *z = zone_of(NULL, 0, NULL, 3);
	char text[1024];

	(void)state;
	assert_string_equal(ask_zone(z, "_apps.internal", DNS_TYPE_TXT, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "_instances.internal", DNS_TYPE_TXT, text, sizeof text), NOTHING);
	assert_string_equal(ask_zone(z, "a.internal", DNS_TYPE_AAAA, text, sizeof text), NEVER);
	assert_string_equal(ask_zone(z, "8.7.6.5.4.3.2.1.a.a.d.f.ip6.arpa", DNS_TYPE_PTR, text, sizeof text), "NXDOMAIN / a.a.d.f.ip6.arpa.");
	assert_int_equal(dns_zone_network(z), NET);
	assert_int_equal(dns_zone_v(z), 3);
	dns_zone_free(z);
}

/* All strings of a name's TXT, joined; how many there were. */
static size_t joined(const struct dns_zone *z, const char *name, char *ret, size_t size, bool *ret_tc)
{
	size_t text_size = 400000, n = 0;
	char *text = malloc(text_size), *at = text, *out = ret;

	ask_zone(z, name, DNS_TYPE_TXT, text, text_size);
	*ret_tc = strstr(text, "NOERROR tc") == text;
	while ((at = strchr(at, '"'))) {
		char *end = strchr(at + 1, '"');

		assert_true(end - at - 1 <= 255 && (size_t)(out - ret) + 256 < size);
		memcpy(out, at + 1, (size_t)(end - at - 1));
		out += end - at - 1;
		at = end + 1;
		n++;
	}
	*out = 0;
	free(text);
	return n;
}

/* 1,000 peers, which is an org's quota, with the longest of labels: more than a page; one of them has the name of that page. */
static void the_list_of_peers_has_each_once(void **state)
{
	enum { N = 1000 };
	struct dns_peer *all = calloc(N, sizeof *all);
	char *page = malloc(400000), before[NAME_SIZE] = "", name[64];
	struct dns_zone *z;
	size_t n_found = 0;
	bool tc = true;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		all[i] = peer("p2", HERE, 0xa + i / 256, (uint8_t)i, true);
		if (i)
			snprintf(all[i].label, sizeof all[i].label, "%05u%058u", (i * 7919u) % 100000, i);
	}
	z = zone_of_peers(all, N);
	for (unsigned p = 1; tc; p++) {
		char *word, *rest;

		snprintf(name, sizeof name, p == 1 ? "_peer.internal" : "p%u._peer.internal", p);
		assert_true(joined(z, name, page, 400000, &tc) > 0);
		for (word = strtok_r(page, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
			assert_true(strcmp(before, word) < 0);
			snprintf(before, sizeof before, "%s", word);
			n_found++;
		}
	}
	assert_int_equal(n_found, N);
	assert_string_equal(ask_zone(z, "p2._peer.internal", DNS_TYPE_AAAA, page, 400000), "NOERROR AAAA " LAPTOP);
	dns_zone_free(z);
	free(page);
	free(all);
}

static void a_list_too_big_for_any_message_goes_on_at_the_next_page(void **state)
{
	enum { N = 2000 };
	struct dns_instance *all = calloc(N, sizeof *all);
	char *page = malloc(400000), name[64];
	struct dns_zone *z;
	size_t n_found = 0;
	bool tc = true;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		all[i] = instance(i + 1, i % 2 ? "a-somewhat-longer-name-of-an-app" : "b", "ord", 0xA1110002, true, false);
	z = zone_of(all, N, NULL, 1);
	for (unsigned p = 1; tc; p++) {
		char *word, *rest;

		snprintf(name, sizeof name, p == 1 ? "_instances.internal" : "p%u._instances.internal", p);
		assert_true(joined(z, name, page, 400000, &tc) > 0);
		for (word = strtok_r(page, ";", &rest); word; word = strtok_r(NULL, ";", &rest)) {
			unsigned id;

			assert_int_equal(sscanf(word, "instance=%14x,app=", &id), 1);
			assert_in_range(id, 1, N);
			n_found++;
		}
	}
	assert_int_equal(n_found, N);
	assert_true(joined(z, "vms.b.internal", page, 400000, &tc) > 1);
	assert_false(tc);
	dns_zone_free(z);
	free(page);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_answers_as_written),
		cmocka_unit_test(peers_have_names_of_their_own),
		cmocka_unit_test(an_alias_has_the_names_of_an_app_and_tells_nothing_of_single_instances),
		cmocka_unit_test(a_peer_that_cannot_be_is_refused),
		cmocka_unit_test(the_list_of_peers_has_each_once),
		cmocka_unit_test(reserved_addresses_have_names_below_flycast_alone),
		cmocka_unit_test(the_tree_of_a_name_is_found_by_labels),
		cmocka_unit_test(up_to_three_in_the_nearest_region_gives_everybody_nearest_first),
		cmocka_unit_test(everybody_means_at_most_sixteen),
		cmocka_unit_test(a_process_group_is_named_by_the_rule_of_its_app),
		cmocka_unit_test(the_nearest_n_are_exactly_these),
		cmocka_unit_test(more_than_three_in_the_nearest_region_gives_three_of_it_in_rotation),
		cmocka_unit_test(the_askers_own_host_is_always_in_the_sample),
		cmocka_unit_test(a_far_region_is_sampled_by_the_same_rule),
		cmocka_unit_test(input_that_cannot_be_is_refused),
		cmocka_unit_test(a_zone_of_nothing_is_a_zone),
		cmocka_unit_test(a_list_too_big_for_any_message_goes_on_at_the_next_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

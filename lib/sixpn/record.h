/* record - the typed records of the log: plain structs for the code, whole protobuf messages for wire, log and disk.
 *
 * The envelope (struct record) is what is sent, stored and digested; its body is kept as received, byte for byte. record_check
 * validates an envelope and record_<kind>_decode its body: outside bytes pass here and nowhere else. */
#pragma once
#include "lib/base/buf.h"
#include "lib/sixpn/addr.h"
#include "lib/sixpn/name.h"

#define RECORD_KEY_MAX 32
#define RECORD_MAX (64u << 10) /* bytes of a whole encoded record */
#define RECORD_APP_ID_LEN 8
#define RECORD_METADATA_MAX 32
#define RECORD_ENDPOINTS_MAX 8

/* Values of proto Kind. */
enum record_kind {
	RECORD_REGION = 1,
	RECORD_NODE = 2,
	RECORD_NETWORK = 3,
	RECORD_APP = 4,
	RECORD_INSTANCE = 5,
	RECORD_WORKLOAD = 6,
	RECORD_PEER = 7,
	RECORD_PEER_KEY = 8,
	RECORD_RULE = 9,
	RECORD_FAR_INSTANCE = 10,
	RECORD_FLYCAST = 11,
	RECORD_ORG = 16, /* 16 and above stay in the controller */
	RECORD_USER = 17,
	RECORD_MEMBERSHIP = 18,
	RECORD_TOKEN = 19,
	RECORD_NODE_TOKEN = 20,
	RECORD_PEERING = 23,
};
#define RECORD_KIND_MAX 32
#define RECORD_SENDABLE_LAST RECORD_FLYCAST
#define RECORD_SENDABLE(kind) ((kind) >= RECORD_REGION && (kind) <= RECORD_SENDABLE_LAST)

/* Values of proto Intent. */
enum record_intent { INTENT_NONE, INTENT_DELETE, INTENT_ORG, INTENT_NETWORK, INTENT_APP, INTENT_NODE, INTENT_DRAIN, INTENT_SCOPE, INTENT_EXPIRED };

struct record {
	uint32_t kind;
	uint8_t key[RECORD_KEY_MAX];
	uint8_t key_len;
	uint32_t network; /* 0 = fabric */
	uint32_t node;    /* 0 = shared; else the host word of the only node that sees it */
	uint64_t v;
	bool deleted;
	uint32_t intent;
	const uint8_t *body; /* borrowed unless the struct came from record_copy */
	size_t body_len;
};

const char *record_kind_name(uint32_t kind); /* "instance"; "unknown" for kinds we do not know */
/* Human text of a record's key for logs: region and instance keys as text, others in hex. buf of at least 80 bytes. */
const char *record_key_text(const struct record *r, char *ret_text, size_t size);

/* One allocation holding struct and body; free() it. NULL = no memory. */
struct record *record_copy(const struct record *r);
/* Envelope <-> bytes of proto Record. decode: E_REFUSED with why for anything that breaks the rules (lengths, a tombstone with a
 * body, a shared kind with a node word, a network id that cannot be); the body is borrowed from the input. */
int record_encode(const struct record *r, struct buf *ret_bytes) MUST_CHECK;
int record_decode(const void *bytes, size_t n, struct record *ret, struct why *why) MUST_CHECK;
/* The rules of the envelope alone, for records that arrive already unpacked. */
int record_check(const struct record *r, struct why *why) MUST_CHECK;

/* The same to and from an unpacked proto Record (of a PollReply): body and, for to_pb, key are borrowed. */
struct Sixpn__Record;
int record_from_pb(const struct Sixpn__Record *m, struct record *ret, struct why *why) MUST_CHECK;
void record_to_pb(const struct record *r, struct Sixpn__Record *ret);

/* The digest of one record: BLAKE2b-256 over (kind, key, v, body). A part's digest is the sum of its records' mod 2^256. */
#define DIGEST_LEN 32
struct digest {
	uint8_t sum[DIGEST_LEN]; /* little-endian */
	uint64_t count;
};
void digest_add(struct digest *d, const struct record *r);
void digest_remove(struct digest *d, const struct record *r);
void digest_join(struct digest *d, const struct digest *other); /* d += other */
bool digest_equal(const struct digest *a, const struct digest *b);

enum { ROLE_HOST = 1, ROLE_GATEWAY = 2 };

struct region_record {
	char name[NAME_REGION_SIZE];
	char city[NAME_SIZE];
	int32_t latitude_udeg, longitude_udeg;
	uint16_t locator;
};

struct node_record {
	uint32_t host;
	char name[NAME_SIZE];
	char region[NAME_REGION_SIZE];
	uint32_t roles;
	uint8_t mesh_key[32];
	struct addr_endpoint endpoints[RECORD_ENDPOINTS_MAX];
	size_t n_endpoints;
	bool draining;
	char gateway_host[256];
	uint16_t gateway_port;
	bool has_gateway_key;
	uint8_t gateway_key[32];
};

struct network_record {
	uint32_t id;
	char org[NAME_SIZE], name[NAME_SIZE];
	bool suspended;
};

struct app_record {
	uint8_t id[RECORD_APP_ID_LEN];
	uint32_t network;
	char name[NAME_SIZE];
};

enum desired { DESIRED_STARTED = 1, DESIRED_STOPPED = 2, DESIRED_DESTROYED = 3 };
enum instance_state {
	STATE_CREATED = 1,
	STATE_STARTING,
	STATE_STARTED,
	STATE_DRAINING,
	STATE_STOPPED,
	STATE_FAILED,
	STATE_DESTROYED,
};
const char *desired_name(uint32_t desired); /* "started" ... ; "?" */
const char *instance_state_name(uint32_t state);

struct observed {
	uint32_t state; /* enum instance_state; 0 = nothing reported yet */
	uint64_t generation;
	int32_t exit_code;
	uint64_t since_ms;
	uint32_t restarts;
	char message[160];
};
bool observed_equal(const struct observed *a, const struct observed *b);
struct Sixpn__Observed;
int observed_from_pb(const struct Sixpn__Observed *m, struct observed *ret, struct why *why) MUST_CHECK;
void observed_to_pb(const struct observed *in, struct Sixpn__Observed *ret); /* message is borrowed */

struct metadata_pair {
	char key[NAME_SIZE], value[256];
};

struct instance_record {
	char id[NAME_INSTANCE_ID_SIZE];
	uint32_t network;
	uint8_t app[RECORD_APP_ID_LEN];
	uint32_t home_host, host, instance;
	uint32_t desired;
	uint64_t generation;
	struct observed observed;
	char group[NAME_SIZE], name[NAME_SIZE];
	struct metadata_pair metadata[RECORD_METADATA_MAX];
	size_t n_metadata;
	bool dns_skip, cordoned;
};
/* In DNS: desired = observed = started, same generation not demanded (a restart in place keeps the name), not dns_skip. */
bool instance_answers(const struct instance_record *i);
static inline struct in6_addr instance_address(const struct instance_record *i)
{
	return addr_instance(i->network, i->home_host, i->instance);
}

struct workload_record {
	char instance[NAME_INSTANCE_ID_SIZE];
	const char *spec; /* JSON; in decode borrowed from the body, NOT NUL-terminated */
	size_t spec_len;
};

struct peer_record {
	uint8_t id[8];
	uint32_t network;
	char name[256], label[NAME_SIZE];
	uint32_t gateway, home_gateway, instance, slot;
	char requested_region[NAME_REGION_SIZE];
	bool ephemeral, suspended;
	uint64_t expires_at_ms;
};

/* A peer that moves is known to two gateways for a while: the record's key is the peer's id and the host word of the gateway that it is
 * for, so that each of them has one of its own and loses it by a tombstone of its own. */
#define RECORD_PEER_KEY_KEY_LEN 12
void peer_key_record_key(const uint8_t peer[8], uint32_t gateway, uint8_t ret_key[RECORD_PEER_KEY_KEY_LEN]);

/* The one that is handed out: ::2 of its slot, in the place where it was made. */
static inline struct in6_addr peer_address(const struct peer_record *p)
{
	return addr_natural((struct addr_parts){ p->network, p->home_gateway, p->instance, (uint16_t)(p->slot << 8 | 2) });
}

struct peer_key_record {
	uint8_t peer[8];
	uint8_t public_key[32], preshared_key[32];
	bool has_preshared_key;
};

/* A peering rule as one of its networks sees it; each of the two has a record of its own. */
#define RECORD_RULE_ID_LEN 8
#define RECORD_RULE_KEY_LEN (RECORD_RULE_ID_LEN + 4)
#define RECORD_FAR_INSTANCE_KEY_LEN (RECORD_RULE_ID_LEN + NAME_INSTANCE_ID_LEN)
struct rule_record {
	uint8_t id[RECORD_RULE_ID_LEN];
	uint32_t network, far_network;
	bool outgoing;                       /* this end may open */
	bool every_app, every_far_app;       /* then the id is zeros; never of the end that is opened to */
	uint8_t app[RECORD_APP_ID_LEN], far_app[RECORD_APP_ID_LEN];
	char alias[NAME_SIZE];               /* of an outgoing one: the far app in the DNS of this network */
};

/* An instance at the other end of a rule: what this end must know of it. */
struct far_instance_record {
	uint8_t rule[RECORD_RULE_ID_LEN];
	char instance[NAME_INSTANCE_ID_SIZE];
	uint32_t network, far_network;
	uint8_t far_app[RECORD_APP_ID_LEN];
	uint32_t home_host, host, field;
	bool answers;
};
static inline struct in6_addr far_instance_address(const struct far_instance_record *i)
{
	return addr_instance(i->far_network, i->home_host, i->field);
}

/* An address that an app has reserved (addr_flycast). */
struct flycast_record {
	uint8_t id[8];
	uint32_t network, number;
	char app[NAME_SIZE];
};

/* Body codecs. encode: the whole body message. decode: E_REFUSED with why; all names pass lib/sixpn/name. Body and envelope must
 * agree (key, network, node): decode takes the record. */
int region_encode(const struct region_record *in, struct buf *ret) MUST_CHECK;
int region_decode(const struct record *r, struct region_record *ret, struct why *why) MUST_CHECK;
int node_encode(const struct node_record *in, struct buf *ret) MUST_CHECK;
int node_decode(const struct record *r, struct node_record *ret, struct why *why) MUST_CHECK;
int network_encode(const struct network_record *in, struct buf *ret) MUST_CHECK;
int network_decode(const struct record *r, struct network_record *ret, struct why *why) MUST_CHECK;
int app_encode(const struct app_record *in, struct buf *ret) MUST_CHECK;
int app_decode(const struct record *r, struct app_record *ret, struct why *why) MUST_CHECK;
int instance_encode(const struct instance_record *in, struct buf *ret) MUST_CHECK;
int instance_decode(const struct record *r, struct instance_record *ret, struct why *why) MUST_CHECK;
int workload_encode(const struct workload_record *in, struct buf *ret) MUST_CHECK;
int workload_decode(const struct record *r, struct workload_record *ret, struct why *why) MUST_CHECK;
int peer_encode(const struct peer_record *in, struct buf *ret) MUST_CHECK;
int peer_decode(const struct record *r, struct peer_record *ret, struct why *why) MUST_CHECK;
int peer_key_encode(const struct peer_key_record *in, struct buf *ret) MUST_CHECK;
int peer_key_decode(const struct record *r, struct peer_key_record *ret, struct why *why) MUST_CHECK;
int flycast_encode(const struct flycast_record *in, struct buf *ret) MUST_CHECK;
int flycast_decode(const struct record *r, struct flycast_record *ret, struct why *why) MUST_CHECK;
int rule_encode(const struct rule_record *in, struct buf *ret) MUST_CHECK;
int rule_decode(const struct record *r, struct rule_record *ret, struct why *why) MUST_CHECK;
int far_instance_encode(const struct far_instance_record *in, struct buf *ret) MUST_CHECK;
int far_instance_decode(const struct record *r, struct far_instance_record *ret, struct why *why) MUST_CHECK;

/* Envelopes with key, network and node filled in from the typed struct; v, deleted, intent and body are the caller's. */
struct record region_envelope(const struct region_record *in);
struct record node_envelope(const struct node_record *in);
struct record network_envelope(const struct network_record *in);
struct record app_envelope(const struct app_record *in);
struct record instance_envelope(const struct instance_record *in);
struct record workload_envelope(const char *instance_id, uint32_t network, uint32_t host);
struct record peer_envelope(const struct peer_record *in);
struct record peer_key_envelope(const struct peer_key_record *in, uint32_t network, uint32_t gateway);
struct record flycast_envelope(const struct flycast_record *in);
struct record rule_envelope(const uint8_t rule[RECORD_RULE_ID_LEN], uint32_t network);
struct record far_instance_envelope(const uint8_t rule[RECORD_RULE_ID_LEN], const char *instance_id, uint32_t network);

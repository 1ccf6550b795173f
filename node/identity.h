/* identity - who this node is, on disk: keys made here that never leave (keys/link.key, keys/mesh.key, of a gateway
 * keys/gateway.key), the answer of enrolment
 * (identity, key = value lines), and the count of starts (boot). Folder 0700, files 0600. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/crypto.h"
#include "lib/sixpn/record.h"

#define IDENTITY_ADDRESSES_MAX 512

struct identity {
	uint8_t link_private[CRYPTO_KEY_LEN], link_public[CRYPTO_KEY_LEN];
	uint8_t mesh_private[CRYPTO_KEY_LEN], mesh_public[CRYPTO_KEY_LEN];
	bool has_gateway_key; /* identity_load_gateway was called */
	uint8_t gateway_private[CRYPTO_KEY_LEN], gateway_public[CRYPTO_KEY_LEN];
	bool enrolled;
	uint32_t host;
	char name[NAME_SIZE], region[NAME_REGION_SIZE];
	uint8_t controller_key[CRYPTO_KEY_LEN];
	char controller_addresses[IDENTITY_ADDRESSES_MAX]; /* "host:port", comma-separated */
	uint8_t boot_id[16];
	uint64_t boot_count;
};

/* Loads, making the keys if there are none. E_REFUSED with why: a file is not what it should be (it is left alone). */
int identity_load(const char *state_dir, const struct clock *clock, struct identity *ret_identity, struct why *why) MUST_CHECK;
/* The key of the device for customers' peers, made if there is none: of a node with the role gateway. */
int identity_load_gateway(const char *state_dir, struct identity *identity, struct why *why) MUST_CHECK;
/* Stores the answer of enrolment. */
int identity_save(const char *state_dir, const struct identity *identity) MUST_CHECK;
/* One more start: durable before it returns. */
int identity_count_boot(const char *state_dir, const struct clock *clock, struct identity *identity) MUST_CHECK;
void identity_wipe(struct identity *identity);

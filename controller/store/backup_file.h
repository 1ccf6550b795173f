/* backup_file - the form of a backup: one file that holds all that a controller cannot make again.
 *
 *   header, 256 bytes    magic and format, schema, V, epoch, log id, time, length of the store, the link key; its own BLAKE2b
 *   the store            a SQLite database, as it was at V
 *   BLAKE2b, 32 bytes    over everything before it
 *
 * The digests are against accidents, not against forgers: who can write the file can write them too. */
#pragma once
#include "controller/store/store_check.h"
#include "lib/base/crypto.h"

#define BACKUP_HEADER_LEN 256
#define BACKUP_SUFFIX ".backup"

struct backup_header {
	uint8_t log_id[STORE_LOG_ID_LEN];
	uint64_t v, epoch, made_ms, store_len;
	uint32_t schema;
	uint8_t link_key[CRYPTO_KEY_LEN]; /* private: wipe */
};

void backup_header_write(const struct backup_header *header, uint8_t ret_bytes[BACKUP_HEADER_LEN]);
/* E_REFUSED: backup_foreign, backup_newer, backup_corrupt. */
int backup_header_read(const void *bytes, size_t n, struct backup_header *ret_header, struct why *why) MUST_CHECK;

/* Makes a backup of `copy` (a database that nobody writes) in the new file `path`, synced. */
int backup_seal(const char *copy, const uint8_t link_key[CRYPTO_KEY_LEN], uint64_t now_ms, const char *path,
		struct backup_header *ret_header, struct why *why) MUST_CHECK;
/* Takes the store out into the new file `store_path`, synced, if every digest is right; nothing is left behind otherwise. */
int backup_unpack(const char *path, const char *store_path, struct backup_header *ret_header, struct why *why) MUST_CHECK;
/* Every byte by its digest, and the store in it by store_check; `scratch` is a new file for the time of that. */
int backup_verify(const char *path, const char *scratch, struct backup_header *ret_header, struct store_summary *ret_summary,
		  struct why *why) MUST_CHECK;
/* Header and length alone: quick. */
int backup_peek(const char *path, struct backup_header *ret_header, uint64_t *ret_size, struct why *why) MUST_CHECK;

/* backup_file - see backup_file.h. */
#include "controller/store/backup_file.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT 1
#define AT_HASH (BACKUP_HEADER_LEN - CRYPTO_HASH_LEN)
#define AT_ZEROS 104
#define CHUNK (256u << 10)
#define STORE_LEN_MAX (1ull << 46)

static const char magic[15] = "sixpn backup\r\n"; /* a transfer that changes line ends is noticed in its first line */

/* ---- the header ---- */

static void hash_header(const uint8_t *bytes, uint8_t ret_hash[CRYPTO_HASH_LEN])
{
	crypto_blake2b(NULL, 0, &(struct crypto_part){ bytes, AT_HASH }, 1, ret_hash);
}

void backup_header_write(const struct backup_header *header, uint8_t ret_bytes[BACKUP_HEADER_LEN])
{
	memset(ret_bytes, 0, BACKUP_HEADER_LEN);
	memcpy(ret_bytes, magic, sizeof magic);
	ret_bytes[sizeof magic] = FORMAT;
	put_u32(ret_bytes + 16, header->schema);
	put_u64(ret_bytes + 24, header->v);
	put_u64(ret_bytes + 32, header->epoch);
	memcpy(ret_bytes + 40, header->log_id, STORE_LOG_ID_LEN);
	put_u64(ret_bytes + 56, header->made_ms);
	put_u64(ret_bytes + 64, header->store_len);
	memcpy(ret_bytes + 72, header->link_key, CRYPTO_KEY_LEN);
	hash_header(ret_bytes, ret_bytes + AT_HASH);
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	uint8_t any = 0;

	while (n)
		any |= bytes[--n];
	return !any;
}

int backup_header_read(const void *bytes, size_t n, struct backup_header *ret_header, struct why *why)
{
	const uint8_t *b = bytes;
	struct backup_header h = { 0 };
	uint8_t hash[CRYPTO_HASH_LEN];

	if (n < sizeof magic + 1 || memcmp(b, magic, sizeof magic))
		return why_set(why, "backup_foreign", "", "this is not a backup of sixpn");
	if (b[sizeof magic] != FORMAT)
		return why_set(why, "backup_newer", "", "the backup has format %u, this program knows %u; use a newer one", b[sizeof magic], FORMAT);
	if (n < BACKUP_HEADER_LEN)
		return why_set(why, "backup_corrupt", "", "the backup is cut off: it has only %zu bytes", n);
	hash_header(b, hash);
	if (memcmp(hash, b + AT_HASH, sizeof hash))
		return why_set(why, "backup_corrupt", "", "the backup is damaged: the digest of its header is wrong");
	h.schema = get_u32(b + 16);
	h.v = get_u64(b + 24);
	h.epoch = get_u64(b + 32);
	memcpy(h.log_id, b + 40, STORE_LOG_ID_LEN);
	h.made_ms = get_u64(b + 56);
	h.store_len = get_u64(b + 64);
	if (h.v > INT64_MAX || h.epoch > INT64_MAX || !h.store_len || h.store_len > STORE_LEN_MAX || is_zero(b + 72, CRYPTO_KEY_LEN) ||
	    !is_zero(b + 20, 4) || !is_zero(b + AT_ZEROS, AT_HASH - AT_ZEROS))
		return why_set(why, "backup_corrupt", "", "the header of the backup makes no sense");
	memcpy(h.link_key, b + 72, CRYPTO_KEY_LEN);
	*ret_header = h;
	crypto_wipe(&h, sizeof h);
	return 0;
}

/* ---- files ---- */

static int make_new(const char *path, int *ret_fd)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) < 0) {
		int r = -errno;

		close(fd);
		unlink(path);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* n bytes from one file, into the digest and, unless `out` is -1, into another file. -ENODATA: there are fewer. */
static int pass(int in, uint64_t n, struct crypto_hash *hash, int out)
{
	CLEAN_FREE uint8_t *chunk = malloc(CHUNK);
	int r = chunk ? 0 : -ENOMEM;

	while (r == 0 && n) {
		size_t want = n < CHUNK ? (size_t)n : CHUNK, got = 0;

		r = file_read_all(in, chunk, want, &got);
		if (r == 0 && got != want)
			r = -ENODATA;
		if (r == 0)
			crypto_hash_add(hash, chunk, got);
		if (r == 0 && out >= 0)
			r = file_write_all(out, chunk, got);
		n -= got;
	}
	if (chunk)
		crypto_wipe(chunk, CHUNK);
	return r;
}

static int write_backup(const char *copy, const struct backup_header *header, int out)
{
	CLEAN_CLOSE int in = open(copy, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[BACKUP_HEADER_LEN], digest[CRYPTO_HASH_LEN];
	struct crypto_hash hash;
	int r;

	if (in < 0)
		return -errno;
	backup_header_write(header, bytes);
	crypto_hash_begin(&hash);
	crypto_hash_add(&hash, bytes, sizeof bytes);
	r = file_write_all(out, bytes, sizeof bytes);
	crypto_wipe(bytes, sizeof bytes);
	if (r == 0)
		r = pass(in, header->store_len, &hash, out);
	crypto_hash_end(&hash, digest);
	if (r == 0)
		r = file_write_all(out, digest, sizeof digest);
	return r == 0 && fsync(out) < 0 ? -errno : r;
}

int backup_seal(const char *copy, const uint8_t link_key[CRYPTO_KEY_LEN], uint64_t now_ms, const char *path,
		struct backup_header *ret_header, struct why *why)
{
	CLEAN_CLOSE int out = -1;
	struct backup_header h = { .made_ms = now_ms };
	struct store_summary s;
	struct stat st;
	int r = store_summarize(copy, true, &s, why);

	if (r == 0 && stat(copy, &st) < 0)
		r = -errno;
	if (r == 0)
		r = make_new(path, &out);
	if (r != 0)
		return r;
	h.v = s.v;
	h.epoch = s.epoch;
	h.schema = (uint32_t)s.schema;
	h.store_len = (uint64_t)st.st_size;
	memcpy(h.log_id, s.log_id, sizeof h.log_id);
	memcpy(h.link_key, link_key, sizeof h.link_key);
	r = write_backup(copy, &h, out);
	if (r == 0)
		*ret_header = h;
	else
		unlink(path);
	crypto_wipe(&h, sizeof h);
	return r;
}

/* The header, and that the file is as long as it says. */
static int read_header(int fd, struct backup_header *ret_header, struct crypto_hash *hash, uint64_t *ret_size, struct why *why)
{
	uint8_t bytes[BACKUP_HEADER_LEN];
	struct stat st;
	uint64_t want;
	size_t got = 0;
	int r = file_read_all(fd, bytes, sizeof bytes, &got);

	if (r == 0)
		r = backup_header_read(bytes, got, ret_header, why);
	if (r == 0) {
		crypto_hash_begin(hash);
		crypto_hash_add(hash, bytes, sizeof bytes);
	}
	crypto_wipe(bytes, sizeof bytes);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r != 0)
		return r;
	want = BACKUP_HEADER_LEN + ret_header->store_len + CRYPTO_HASH_LEN;
	if ((uint64_t)st.st_size != want)
		return why_set(why, "backup_corrupt", "", "the backup is %s: it has %llu bytes and says that it has %llu",
			       (uint64_t)st.st_size < want ? "cut off" : "damaged", (unsigned long long)st.st_size, (unsigned long long)want);
	*ret_size = want;
	return 0;
}

int backup_peek(const char *path, struct backup_header *ret_header, uint64_t *ret_size, struct why *why)
{
	CLEAN_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct crypto_hash hash;

	return fd < 0 ? -errno : read_header(fd, ret_header, &hash, ret_size, why);
}

static int unpack(int in, int out, struct backup_header *ret_header, struct why *why)
{
	uint8_t digest[CRYPTO_HASH_LEN], stored[CRYPTO_HASH_LEN];
	struct crypto_hash hash;
	uint64_t size;
	size_t got = 0;
	int r = read_header(in, ret_header, &hash, &size, why);

	if (r == 0)
		r = pass(in, ret_header->store_len, &hash, out);
	if (r == 0)
		r = file_read_all(in, stored, sizeof stored, &got);
	if (r == -ENODATA || (r == 0 && got != sizeof stored))
		return why_set(why, "backup_corrupt", "", "the backup was cut off while it was read");
	if (r != 0)
		return r;
	crypto_hash_end(&hash, digest);
	if (memcmp(digest, stored, sizeof digest))
		return why_set(why, "backup_corrupt", "", "the backup is damaged: its digest is wrong");
	return fsync(out) < 0 ? -errno : 0;
}

int backup_unpack(const char *path, const char *store_path, struct backup_header *ret_header, struct why *why)
{
	CLEAN_CLOSE int in = open(path, O_RDONLY | O_CLOEXEC), out = -1;
	struct backup_header h = { .v = 0 };
	int r = in < 0 ? -errno : make_new(store_path, &out);

	if (r != 0)
		return r;
	r = unpack(in, out, &h, why);
	if (r == 0)
		*ret_header = h;
	else
		unlink(store_path);
	crypto_wipe(&h, sizeof h);
	return r;
}

int backup_verify(const char *path, const char *scratch, struct backup_header *ret_header, struct store_summary *ret_summary,
		  struct why *why)
{
	struct backup_header h = { .v = 0 };
	struct store_summary s;
	int r = backup_unpack(path, scratch, &h, why);

	if (r != 0)
		return r;
	r = store_check(scratch, true, &s, why);
	unlink(scratch);
	if (r == 0 && (h.v != s.v || h.epoch != s.epoch || h.schema != (uint32_t)s.schema || memcmp(h.log_id, s.log_id, sizeof h.log_id)))
		r = why_set(why, "backup_corrupt", "", "the header of the backup speaks of another store than the one that is in it");
	if (r == 0) {
		*ret_header = h;
		*ret_summary = s;
	}
	crypto_wipe(&h, sizeof h);
	return r;
}

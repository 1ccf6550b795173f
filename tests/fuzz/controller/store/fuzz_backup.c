/* Backups come from other machines and old disks: the header, and the whole way of a file through verification. */
#include "controller/store/backup_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* A header that is right except for what the fuzzer says, so that it gets past the digest. */
static void mend(uint8_t *bytes, size_t size)
{
	static const char magic[] = "sixpn backup\r\n";

	if (size < BACKUP_HEADER_LEN)
		return;
	memcpy(bytes, magic, sizeof magic);
	bytes[15] = 1;
	if (size > BACKUP_HEADER_LEN + 32) { /* and a store of just these bytes: SQLite sees them */
		for (unsigned i = 0; i < 8; i++)
			bytes[64 + i] = (uint8_t)((uint64_t)(size - BACKUP_HEADER_LEN - 32) >> (56 - 8 * i));
		bytes[72] |= 1;
		memset(bytes + 20, 0, 4);
		memset(bytes + 104, 0, BACKUP_HEADER_LEN - 32 - 104);
		bytes[24] = bytes[32] = 0;
	}
	crypto_blake2b(NULL, 0, &(struct crypto_part){ bytes, BACKUP_HEADER_LEN - 32 }, 1, bytes + BACKUP_HEADER_LEN - 32);
	if (size > BACKUP_HEADER_LEN + 32)
		crypto_blake2b(NULL, 0, &(struct crypto_part){ bytes, size - 32 }, 1, bytes + size - 32);
}

static void check_header(const uint8_t *bytes, size_t size)
{
	struct backup_header h, again;
	uint8_t written[BACKUP_HEADER_LEN];
	struct why why = { 0 };

	if (backup_header_read(bytes, size, &h, &why)) {
		if (!why.code[0] || !why.text[0])
			abort();
		return;
	}
	backup_header_write(&h, written);
	if (memcmp(written, bytes, sizeof written) || backup_header_read(written, sizeof written, &again, &why))
		abort(); /* what is accepted has one form */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64], scratch[64];
	static unsigned runs;
	uint8_t *bytes = malloc(size + 1);
	struct backup_header h;
	struct store_summary s;
	struct why why = { 0 };

	crypto_init();
	snprintf(path, sizeof path, "/dev/shm/sixpn-fuzz-backup-%d", getpid());
	snprintf(scratch, sizeof scratch, "%s-scratch", path);
	memcpy(bytes, data, size);
	check_header(bytes, size);
	mend(bytes, size);
	check_header(bytes, size);
	if (runs++ % 8 == 0) { /* files are slow */
		write_file(path, bytes, size);
		if (backup_verify(path, scratch, &h, &s, &why) == 0)
			abort(); /* nobody makes a whole store by chance */
		if (access(scratch, F_OK) == 0)
			abort();
		unlink(path);
	}
	free(bytes);
	return 0;
}

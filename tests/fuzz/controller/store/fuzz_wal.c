/* A write-ahead log comes from a disk that may have damaged it: judged before SQLite sees it. */
#include "controller/store/store_wal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

/* The digest of the header made right, so that frames are looked at. */
static void mend(uint8_t *b, size_t size)
{
	uint32_t s0 = 0, s1 = 0;

	if (size < 32)
		return;
	memcpy(b, "\x37\x7f\x06\x83", 4); /* big-endian digests */
	memcpy(b + 8, "\0\0\x02\0", 4);   /* pages of 512 bytes */
	for (int i = 0; i < 24; i += 8) {
		s0 += ((uint32_t)b[i] << 24 | (uint32_t)b[i + 1] << 16 | (uint32_t)b[i + 2] << 8 | b[i + 3]) + s1;
		s1 += ((uint32_t)b[i + 4] << 24 | (uint32_t)b[i + 5] << 16 | (uint32_t)b[i + 6] << 8 | b[i + 7]) + s0;
	}
	for (int i = 0; i < 4; i++) {
		b[24 + i] = (uint8_t)(s0 >> (24 - 8 * i));
		b[28 + i] = (uint8_t)(s1 >> (24 - 8 * i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t half = size / 4;
	uint8_t *bytes = malloc(size + 1);
	struct why why = { 0 };
	int db = file_of(data, half);

	memcpy(bytes, data + half, size - half);
	for (int round = 0; round < 2; round++) {
		int wal = file_of(bytes, size - half), r = wal_judge(wal, db, &why);

		if (r > E_REFUSED || (r == E_REFUSED && !why.text[0]))
			abort();
		close(wal);
		mend(bytes, size - half);
	}
	close(db);
	free(bytes);
	return 0;
}

/* store_wal - see store_wal.h. The format is SQLite's, as its documentation gives it (fileformat2, "The Write-Ahead Log"). */
#include "controller/store/store_wal.h"

#include "controller/store/store_page_sums.h"
#include "lib/base/file.h"
#include "lib/base/map.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x377f0682u
#define HEADER 32
#define FRAME_HEADER 24
#define FRAMES_MAX 1000000

struct sum {
	uint32_t a, b;
};

struct frame {
	uint32_t page, commit; /* commit: the size of the database then, 0 inside a transaction */
	uint32_t salts[2];
	struct sum stored;
};

struct wal {
	int fd, db;
	bool big_endian;
	uint32_t page_size;
	uint32_t salts[2];
	struct frame *frames;
	size_t n;
	uint8_t *bytes; /* of one frame */
};

/* ---- reading ---- */

static int read_at(int fd, uint64_t at, void *bytes, size_t n, bool *ret_whole)
{
	size_t got;
	int r;

	if (lseek(fd, (off_t)at, SEEK_SET) < 0)
		return -errno;
	r = file_read_all(fd, bytes, n, &got);
	*ret_whole = r == 0 && got == n;
	return r;
}

static uint32_t word(const struct wal *w, const uint8_t *p)
{
	return w->big_endian ? get_u32(p) : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static struct sum sum_on(const struct wal *w, struct sum s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		s.a += word(w, p + i) + s.b;
		s.b += word(w, p + i + 4) + s.a;
	}
	return s;
}

static bool sums_equal(struct sum x, struct sum y)
{
	return x.a == y.a && x.b == y.b;
}

static bool has_salts(const struct wal *w, const struct frame *f)
{
	return f->salts[0] == w->salts[0] && f->salts[1] == w->salts[1];
}

static int load_frame(const struct wal *w, size_t i, bool *ret_whole)
{
	size_t size = FRAME_HEADER + w->page_size;

	return read_at(w->fd, HEADER + (uint64_t)i * size, w->bytes, size, ret_whole);
}

static int read_frames(struct wal *w)
{
	bool whole = true;
	size_t cap = 0;
	int r = 0;

	while (w->n < FRAMES_MAX) {
		struct frame *f;

		r = load_frame(w, w->n, &whole);
		if (r != 0 || !whole)
			break;
		if (w->n == cap) {
			cap = cap ? 2 * cap : 256;
			f = realloc(w->frames, cap * sizeof *f);
			if (!f)
				return -ENOMEM;
			w->frames = f;
		}
		f = &w->frames[w->n++];
		*f = (struct frame){ get_u32(w->bytes), get_u32(w->bytes + 4), { get_u32(w->bytes + 8), get_u32(w->bytes + 12) },
				     { get_u32(w->bytes + 16), get_u32(w->bytes + 20) } };
	}
	return r;
}

/* Does frame i follow from that digest? */
static int follows(const struct wal *w, size_t i, struct sum before, bool *ret_yes)
{
	bool whole = true;
	int r = load_frame(w, i, &whole);
	struct sum s;

	if (r != 0)
		return r;
	s = sum_on(w, before, w->bytes, 8);
	s = sum_on(w, s, w->bytes + FRAME_HEADER, w->page_size);
	*ret_yes = whole && has_salts(w, &w->frames[i]) && w->frames[i].page && sums_equal(s, w->frames[i].stored);
	return 0;
}

/* ---- judging ---- */

static int lost(struct why *why, const char *what)
{
	return why_set(why, "store_corrupt", "", "the write-ahead log of the store is damaged %s, and changes that were acknowledged are in it", what);
}

/* The first frame that is wrong, from `at` on, whose digest before is `before`: SQLite ends there. */
static int find_end(const struct wal *w, size_t at, struct sum before, size_t *ret_end)
{
	bool good = true;
	int r = 0;

	for (; r == 0 && at < w->n; at++) {
		r = follows(w, at, before, &good);
		if (!good)
			break;
		before = w->frames[at].stored;
	}
	*ret_end = at;
	return r;
}

static int judge_frames(const struct wal *w, struct sum header, struct why *why)
{
	size_t end = 0;
	int r = find_end(w, 0, header, &end);

	for (size_t i = end; r == 0 && i + 1 < w->n; i++) {
		bool later = false;

		if (!w->frames[i].commit || (i > end && !has_salts(w, &w->frames[i])))
			continue;
		r = follows(w, i + 1, w->frames[i].stored, &later);
		if (r == 0 && later)
			return lost(why, "in the middle");
	}
	return r;
}

/* Is the newest version of that page, frame i, in the database? All but the digest that only the database has. */
static int is_in_database(const struct wal *w, size_t i, uint8_t *page, bool *ret_is)
{
	bool whole = true, there = true;
	int r = load_frame(w, i, &whole);

	if (r == 0)
		r = read_at(w->db, (uint64_t)(w->frames[i].page - 1) * w->page_size, page, w->page_size, &there);
	if (r == 0)
		*ret_is = whole && there && !memcmp(page, w->bytes + FRAME_HEADER, w->page_size - PAGE_SUM_LEN);
	return r;
}

/* The header is wrong: what the frames hold is lost unless a checkpoint has brought it to the database, as one has before a header
 * is ever written anew. */
static int judge_without_header(struct wal *w, struct why *why)
{
	CLEAN_FREE uint8_t *page = malloc(w->page_size);
	struct map newest = { 0 };
	struct frame *f;
	size_t end = 0;
	bool is = true;
	int r = page ? 0 : -ENOMEM;

	if (r == 0 && w->n) {
		memcpy(w->salts, w->frames[0].salts, sizeof w->salts);
		r = find_end(w, 1, w->frames[0].stored, &end);
	}
	while (end && !w->frames[end - 1].commit)
		end--;
	for (size_t i = 0; r == 0 && i < end; i++)
		if (map_set(&newest, &w->frames[i].page, sizeof w->frames[i].page, &w->frames[i], NULL) < 0)
			r = -ENOMEM;
	for (size_t i = 0; r == 0 && is && (f = map_next(&newest, &i));)
		if (f->page)
			r = is_in_database(w, (size_t)(f - w->frames), page, &is);
	map_deinit(&newest);
	return r == 0 && !is ? lost(why, "in its header") : r;
}

int wal_judge(int fd, int db, struct why *why)
{
	struct wal w = { .fd = fd, .db = db };
	uint8_t header[HEADER];
	struct sum own;
	bool whole = true, good;
	int r = read_at(fd, 0, header, sizeof header, &whole);

	if (r != 0 || !whole)
		return r; /* nothing was ever committed to it */
	w.big_endian = (get_u32(header) & ~1u) == MAGIC && (get_u32(header) & 1);
	own = (struct sum){ get_u32(header + 24), get_u32(header + 28) };
	w.page_size = get_u32(header + 8);
	memcpy(w.salts, (uint32_t[]){ get_u32(header + 16), get_u32(header + 20) }, sizeof w.salts);
	good = (get_u32(header) & ~1u) == MAGIC && sums_equal(sum_on(&w, (struct sum){ 0, 0 }, header, 24), own);
	if (!good || w.page_size < 512 || w.page_size > 65536 || (w.page_size & (w.page_size - 1))) {
		good = false;
		w.page_size = STORE_PAGE_SIZE;
	}
	w.bytes = malloc(FRAME_HEADER + w.page_size);
	r = w.bytes ? read_frames(&w) : -ENOMEM;
	if (r == 0)
		r = good ? judge_frames(&w, own, why) : judge_without_header(&w, why);
	free(w.bytes);
	free(w.frames);
	return r;
}

int wal_check(const char *db_path, struct why *why)
{
	CLEAN_CLOSE int db = open(db_path, O_RDONLY | O_CLOEXEC), wal = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s-wal", db_path);
	wal = open(path, O_RDONLY | O_CLOEXEC);
	if (wal < 0 || db < 0)
		return errno == ENOENT ? 0 : -errno;
	return wal_judge(wal, db, why);
}

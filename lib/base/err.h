/* err - the error contract of the whole project, and the one struct that carries a refusal to a person.
 *
 * Every function that can fail returns int:
 *   0        it worked;
 *   < 0      a negative errno: unexpected (memory, kernel, disk). The caller passes it up unchanged.
 *   > 0      a condition that this one function documents (X_E_*). The direct caller handles it and never forwards the number.
 * Outputs come last, are named ret_*, and are untouched on failure. A function logs or returns, never both.
 *
 * Functions that judge outside input also take `struct why *` (may be NULL): on refusal it names the field and says, in a
 * sentence that quotes the value, what is wrong and what would be right.
 */
#pragma once
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK __attribute__((warn_unused_result))

/* The positive code most validators return: the input was refused and `why` says so. */
enum { E_REFUSED = 1 };

struct why {
	char code[48];  /* stable, for programs: "name_invalid" */
	char field[64]; /* the field of the input, "" if the whole of it */
	char text[400]; /* the sentence, for people */
};

/* Fills *why (if not NULL) and returns E_REFUSED, so that a validator can `return why_set(...)`. */
int why_set(struct why *why, const char *code, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Cleanup attributes for locals; hand over by nulling the source (TAKE). */
void cleanup_free(void *p);
void cleanup_close(int *fd);
#define CLEAN_FREE __attribute__((cleanup(cleanup_free)))
#define CLEAN_CLOSE __attribute__((cleanup(cleanup_close)))
#define TAKE(p)                            \
	({                                 \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                \
		taken_;                    \
	})

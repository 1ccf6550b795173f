/* api_match - entity tags: which version of an object somebody has seen, and writes that are done only if it is still that one.
 *
 * A tag says two things of the object's JSON (by its shape, shape.h): a digest of all of it, for If-None-Match of a GET (304 only if nothing at
 * all has changed), and a digest of what does not move by itself, for If-Match (a report of a host does not break an edit). Behind these, two
 * letters per field of the second, so that a refusal can name the fields that differ without anybody having kept the old version. Being made
 * of the content it needs no counter, and stays right over restarts and restored backups. */
#pragma once
#include "controller/api/api.h"

struct shape;

#define MATCH_TAG_SIZE 256
/* With its quotes; "" if the shape has too many fields or there is no memory. Any JSON will do. */
void match_tag(const struct shape *shape, const json_t *object, char ret_tag[MATCH_TAG_SIZE]);
/* header: of If-Match or If-None-Match. Does a tag of its list (or "*") mean the object of `tag`? exact: all of it, else the version.
 * E_REFUSED: it is no list of tags. Takes any text. */
int match_header(const char *field, const char *header, const char *tag, bool exact, bool *ret_matches, struct why *why) MUST_CHECK;
/* Fields in which the object is not as it was for the first tag of the header; NULL = not known. New reference. */
json_t *match_differs(const struct shape *shape, const json_t *object, const char *header);

/* Loop thread: may this route be asked under these conditions? E_REFUSED. */
int api_match_check(const struct api_call *call, struct why *why) MUST_CHECK;
/* Store thread, before route->run: are they met? E_REFUSED with call->op.why and call->detail. */
int api_match_judge(struct store *store, struct api_call *call) MUST_CHECK;
/* Loop thread: the tag of a good reply, "" if it is no object; *ret_same: the asker has this one already (304). */
void api_match_reply(const struct api_call *call, char ret_tag[MATCH_TAG_SIZE], bool *ret_same);

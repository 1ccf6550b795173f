/* wait - whoever wrote something and wants to know when it works everywhere. Waits look at what nodes have applied and, for an
 * instance, at what its host reported; they end when all is done or their time is up. */
#pragma once
#include "controller/nodes/controller_internal.h"

/* As api_env_ops.wait. */
int wait_start(struct controller *c, const struct api_wait *want, void (*done)(void *done_ctx, const struct api_wait_result *result),
	       void *done_ctx) MUST_CHECK;
/* An instance record was committed. */
void wait_note_instance(struct controller *c, const struct record *record);
/* Ends those that are done or whose time is up; the next deadline, UINT64_MAX = none. */
uint64_t wait_run(struct controller *c);
/* "instance 4d89...", for people. */
void wait_record_text(uint32_t kind, const uint8_t *key, size_t key_len, char ret_text[80]);
void wait_end_all(struct controller *c);

/* blast - a DNS load generator of our own: as many questions in flight as a server's receive queue holds comfortably, sent and received
 * 32 a system call, each answer checked. dnsperf costs more CPU than the servers that are measured. */
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define BLAST_QUERY_MAX 128
#define BLAST_QUERIES_MAX 8192 /* a power of two: the id of a query names it */

struct blast_query {
	uint8_t bytes[BLAST_QUERY_MAX];
	size_t len;
	uint8_t rcode;    /* what must come back */
	uint16_t answers; /* how many records */
};

struct blast_result {
	uint64_t answered, lost, wrong, bytes; /* bytes: of all answers */
};

/* Appends a query and returns the next free number. */
size_t blast_add(struct blast_query *queries, size_t n, const char *name, uint16_t type, uint8_t rcode, uint16_t answers);
/* Asks the n queries in turn through a connected UDP socket, until `wanted` were answered or nothing comes any more. */
struct blast_result blast_run(int fd, const struct blast_query *queries, size_t n, uint64_t wanted);

/* doctor_internal - the checks, by file. */
#pragma once
#include "controller/cli/doctor.h"

void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *next, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
/* The output of a program, or "" if it failed; 0, its exit status, or -errno. */
int doctor_run_program(struct doctor *d, struct buf *ret_text, const char *const *argv);
#define DOCTOR_RUN(d, text, ...) doctor_run_program(d, text, (const char *const[]){ __VA_ARGS__, NULL })

/* doctor_file.c: the file and what the machine has */
void doctor_check_file(struct doctor *d);
void doctor_check_programs(struct doctor *d);
void doctor_check_ipv6(struct doctor *d);
/* doctor_tunnel.c: the tunnel */
void doctor_check_interface(struct doctor *d);
void doctor_check_endpoint(struct doctor *d);
void doctor_check_handshake(struct doctor *d);
void doctor_check_packets(struct doctor *d);
/* doctor_names.c: names, clock, and what the gateway says */
void doctor_check_server(struct doctor *d);
void doctor_check_resolver(struct doctor *d);
void doctor_check_clock(struct doctor *d);
void doctor_check_gateway(struct doctor *d);

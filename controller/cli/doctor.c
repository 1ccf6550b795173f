/* doctor - see doctor.h. */
#include "controller/cli/doctor_internal.h"

#include "lib/sixpn/name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const char *doctor_level_text(enum doctor_level level)
{
	static const char *const texts[] = {
		[DOCTOR_OK] = "ok", [DOCTOR_SKIP] = "skip", [DOCTOR_WARN] = "WARN", [DOCTOR_FAIL] = "FAIL"
	};

	return texts[level];
}

void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *next, const char *fmt, ...)
{
	struct doctor_finding *f = &d->findings[d->n];
	va_list ap;

	if (d->n == DOCTOR_FINDINGS_MAX)
		return;
	d->n++;
	*f = (struct doctor_finding){ .level = level, .check = check };
	snprintf(f->next, sizeof f->next, "%s", next ? next : "");
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	name_tame(f->text); /* cut anywhere, it would be no JSON; and the API's words come to a terminal */
	name_tame(f->next);
}

int doctor_run_program(struct doctor *d, struct buf *ret_text, const char *const *argv)
{
	buf_clear(ret_text);
	return d->ops->run(d->ctx, argv, ret_text);
}

void doctor_deinit(struct doctor *d)
{
	peer_file_wipe(&d->file);
}

/* From what lies lowest: a check whose ground is missing is not made, for it would only say the same once more. */
void doctor_run(struct doctor *d)
{
	if (d->path)
		doctor_check_file(d);
	if (d->parsed) {
		doctor_check_programs(d);
		doctor_check_ipv6(d);
		doctor_check_endpoint(d);
		doctor_check_interface(d);
	}
	if (d->up)
		doctor_check_handshake(d);
	if (d->routed)
		doctor_check_packets(d);
	if (d->answers)
		doctor_check_server(d);
	if (d->up)
		doctor_check_resolver(d);
	doctor_check_clock(d);
	doctor_check_gateway(d);
}

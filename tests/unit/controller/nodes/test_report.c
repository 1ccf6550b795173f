/* Reports of instances at the controller's door: what is wrong with one instance's costs no other instance its own. */
#include "controller/nodes/report.h"

#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 5

struct request {
	Sixpn__ReportRequest m;
	Sixpn__InstanceReport reports[N], *list[N];
	Sixpn__Observed observed[N];
	char ids[N][NAME_INSTANCE_ID_SIZE];
	struct buf bytes;
};

static struct request *request_new(void)
{
	struct request *q = calloc(1, sizeof *q);

	sixpn__report_request__init(&q->m);
	for (unsigned i = 0; i < N; i++) {
		sixpn__instance_report__init(&q->reports[i]);
		sixpn__observed__init(&q->observed[i]);
		snprintf(q->ids[i], sizeof q->ids[i], "%014x", i);
		q->reports[i].instance = pb_bytes(q->ids[i], NAME_INSTANCE_ID_LEN);
		q->reports[i].observed = &q->observed[i];
		q->observed[i].state = STATE_STARTED;
		q->observed[i].generation = 1;
		q->list[i] = &q->reports[i];
	}
	q->m.instances = q->list;
	q->m.n_instances = N;
	q->bytes = BUF_INIT(65536);
	return q;
}

static void request_free(struct request *q)
{
	buf_deinit(&q->bytes);
	free(q);
}

static void one_that_is_wrong_costs_the_others_nothing(void **state)
{
	struct request *q = request_new();
	struct report_read in = { 0 };
	struct why why = { .text = "" };

	(void)state;
	q->observed[0].message = pb_bytes("cut \xc3", 5);
	q->observed[1].state = 99;
	q->reports[2].observed = NULL;
	q->reports[3].instance.len = 3;
	assert_int_equal(pb_pack(&q->m, &q->bytes), 0);
	assert_int_equal(report_read(q->bytes.data, q->bytes.len, &in, &why), 0);
	assert_int_equal(in.n, 1);
	assert_int_equal(in.n_bad, 4);
	assert_string_equal(in.reports[0].id, q->ids[4]);
	assert_string_not_equal(why.text, "");
	report_deinit(&in);
	request_free(q);
}

static void what_is_no_request_is_refused_as_a_whole(void **state)
{
	struct report_read in = { 0 };
	struct why why = { .text = "" };

	(void)state;
	assert_int_equal(report_read("\xff\xff", 2, &in, &why), E_REFUSED);
	assert_null(in.reports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_wrong_costs_the_others_nothing),
		cmocka_unit_test(what_is_no_request_is_refused_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

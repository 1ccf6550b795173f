/* The GraphQL engine by table: text and variables in, the whole reply out. */
#include "tests/unit/controller/graphql/gql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* The reply as text; the errors alone if the request was refused before it ran. "" + number: it failed as a whole. */
static char *reply_of(const char *text, const char *operation, const char *variables)
{
	CLEAN_JSON json_t *given = variables ? json_loads(variables, 0, NULL) : NULL;
	CLEAN_JSON json_t *doc = json_object();
	struct gql_request *q = NULL;
	json_t *data = NULL, *errors = NULL;
	struct why why;
	int r = gql_request_new(&fx_schema, text, strlen(text), operation, given, &q, &errors);

	assert_true(!variables || given);
	if (r == 0) {
		r = gql_execute(q, NULL, &data, &errors, &why);
		if (r == 0)
			json_object_set_new(doc, "data", data ? data : json_null());
	} else {
		assert_int_equal(r, E_REFUSED);
	}
	if (errors)
		json_object_set_new(doc, "errors", errors);
	gql_request_free(q);
	return r < 0 ? strdup(strerror(-r)) : json_dumps(doc, JSON_COMPACT);
}

struct row {
	const char *text, *operation, *variables, *expected;
};

static void expect_rows(const struct row *rows, size_t n, bool whole)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN_FREE char *got = reply_of(rows[i].text, rows[i].operation, rows[i].variables);

		if (whole ? strcmp(got, rows[i].expected) != 0 : !strstr(got, rows[i].expected))
			fail_msg("%s\n  got      %s\n  expected %s", rows[i].text, got, rows[i].expected);
		assert_true(whole || !strstr(got, "\"data\"")); /* refused before anything ran */
	}
}

static void what_is_asked_is_answered_in_that_order_and_under_that_name(void **state)
{
	static const struct row rows[] = {
		{ "{ hero { name id } }", NULL, NULL, "{\"data\":{\"hero\":{\"name\":\"Ann\",\"id\":\"1\"}}}" },
		{ "query Q($i:ID!){a:hero(id:$i){n:name t:__typename} b:hero{age mood}}", NULL, "{\"i\":\"x\"}",
		  "{\"data\":{\"a\":{\"n\":\"Ann\",\"t\":\"Hero\"},\"b\":{\"age\":41,\"mood\":\"HAPPY\"}}}" },
		{ "query A{hero{id}} query B{hero{age}}", "B", NULL, "{\"data\":{\"hero\":{\"age\":41}}}" },
		{ "{__typename hero{tags extra nick}}", NULL, NULL,
		  "{\"data\":{\"__typename\":\"Query\",\"hero\":{\"tags\":[\"a\",\"b\"],\"extra\":{\"deep\":[1]},\"nick\":null}}}" },
		/* fields of one name are one field, however they came */
		{ "{hero{...F self{id}} ...R} fragment F on Hero{id ...G} fragment G on Hero{age} fragment R on Query{hero{self{name} id}}", NULL,
		  NULL, "{\"data\":{\"hero\":{\"id\":\"1\",\"age\":41,\"self\":{\"id\":\"1\",\"name\":\"Ann\"}}}}" },
		{ "{being{... on Hero{id}... on Dog{bark}} dog:being(dog:true){__typename ...on Hero{id}...D}} fragment D on Being{...on Dog{bark}}",
		  NULL, NULL, "{\"data\":{\"being\":{\"id\":\"1\"},\"dog\":{\"__typename\":\"Dog\",\"bark\":\"wuff\"}}}" },
		{ "query($y:Boolean!,$n:Boolean=false){hero{id @skip(if:$y) name @include(if:$y) ...@include(if:$n){age} ...{mood}}}", NULL,
		  "{\"y\":true}", "{\"data\":{\"hero\":{\"name\":\"Ann\",\"mood\":\"HAPPY\"}}}" },
		{ "\xef\xbb\xbf# a comment\n{hero,{,id,}}", NULL, "{}", "{\"data\":{\"hero\":{\"id\":\"1\"}}}" },
		{ "mutation{make(input:{name:\"n\"})}", NULL, NULL, "{\"data\":{\"make\":{\"input\":{\"name\":\"n\"}}}}" },
	};

	(void)state;
	expect_rows(rows, ARRAY_LEN(rows), true);
}

static void values_come_in_the_form_of_their_type(void **state)
{
	static const struct row rows[] = {
		{ "{echo(s:\"a\\n\\u00e9\\\"\",i:-3,f:1.5e1,b:true,e:SAD,l:[1,2])}", NULL, NULL,
		  "{\"data\":{\"echo\":{\"s\":\"a\\n\xc3\xa9\\\"\",\"i\":-3,\"f\":15.0,\"b\":true,\"e\":\"SAD\",\"l\":[1,2]}}}" },
		{ "{echo(l:7)}", NULL, NULL, "{\"data\":{\"echo\":{\"l\":[7]}}}" },
		{ "query($s:String=\"d\",$i:Int){echo(s:$s,i:$i)}", NULL, NULL, "{\"data\":{\"echo\":{\"s\":\"d\"}}}" },
		{ "query($s:String=\"d\",$i:Int){echo(s:$s,i:$i)}", NULL, "{\"s\":null,\"i\":4}", "{\"data\":{\"echo\":{\"s\":null,\"i\":4}}}" },
		{ "query($m:Mood){echo(in:{name:\"x\",mood:$m,nums:[1],in:{name:\"y\"}})}", NULL, "{\"m\":\"SAD\"}",
		  "{\"data\":{\"echo\":{\"in\":{\"name\":\"x\",\"mood\":\"SAD\",\"nums\":[1],\"in\":{\"name\":\"y\"}}}}}" },
		{ "mutation M($input:In!){make(input:$input)}", NULL, "{\"input\":{\"name\":\"x\",\"nums\":3}}",
		  "{\"data\":{\"make\":{\"input\":{\"name\":\"x\",\"nums\":[3]}}}}" },
		{ "query($i:ID){hero(id:$i){id}}", NULL, "{\"i\":12}", "{\"data\":{\"hero\":{\"id\":\"1\"}}}" },
	};

	(void)state;
	expect_rows(rows, ARRAY_LEN(rows), true);
}

static void what_only_a_resolver_can_refuse_has_a_path_and_the_rest_an_answer(void **state)
{
	static const struct row rows[] = {
		{ "{hero{id} x:hero(id:\"none\"){id}}", NULL, NULL,
		  "{\"data\":{\"hero\":{\"id\":\"1\"},\"x\":null},\"errors\":[{\"message\":\"hero \\\"none\\\" does not exist\",\"extensions\":{"
		  "\"code\":\"hero_not_found\",\"reason\":\"hero_not_found\",\"field\":\"id\"},\"locations\":[{\"line\":1,\"column\":11}],\"path\":[\"x\"]}]}" },
		/* a null that must not be makes what holds it null: the item of the list, but not the list */
		{ "{hero{friends{id name}}}", NULL, NULL,
		  "{\"data\":{\"hero\":{\"friends\":[{\"id\":\"2\",\"name\":\"Bo\"},null,null]}},\"errors\":[{\"message\":\"\\\"name\\\" has no value, and "
		  "must have one\",\"extensions\":{\"code\":\"internal\",\"reason\":\"internal\",\"field\":\"name\"},\"locations\":[{\"line\":1,\"column\":18}],"
		  "\"path\":[\"hero\",\"friends\",1,\"name\"]}]}" },
		{ "{hero{self{self{id}} age}must(id:\"hollow\"){id}}", NULL, NULL,
		  "{\"data\":{\"hero\":{\"self\":{\"self\":{\"id\":\"1\"}},\"age\":41},\"must\":{\"id\":\"7\"}}}" },
		{ "{hero(id:\"broken\"){id}}", NULL, NULL, "No space left on device" },
	};

	(void)state;
	expect_rows(rows, ARRAY_LEN(rows), true);
}

static void a_null_that_must_not_be_reaches_the_root(void **state)
{
	CLEAN_FREE char *got = reply_of("{hero{id} must(id:\"none\"){id}}", NULL, NULL);

	(void)state;
	assert_ptr_equal(strstr(got, "{\"data\":null,\"errors\":[{"), got);
}

static void what_is_wrong_in_the_text_is_refused_before_anything_runs(void **state)
{
	static const struct row rows[] = {
		{ "", NULL, NULL, "there is no operation" },
		{ "fragment F on Hero{id}", NULL, NULL, "there is no operation" },
		{ "{", NULL, NULL, "the text ends where a field should come" },
		{ "{hero{}}", NULL, NULL, "\\\"}\\\" stands where a field should come" },
		{ "{hero{id}", NULL, NULL, "the text ends where a field should come" },
		{ "{hero{id}}}", NULL, NULL, "where \\\"query\\\", \\\"mutation\\\" or \\\"fragment\\\" should come" },
		{ "{hero(id:\"x){id}}", NULL, NULL, "does not end on its line" },
		{ "{hero(id:\"\\ud800\"){id}}", NULL, NULL, "an escape" },
		{ "{hero(id:\"\"\"x\"\"\"){id}}", NULL, NULL, "block strings" },
		{ "{hero(id:01){id}}", NULL, NULL, "no number" },
		{ "{hero(id:1,id:2){id}}", NULL, NULL, "given twice" },
		{ "{hero{id;}}", NULL, NULL, "line 1 column 9: there is a character" },
		{ "subscription{hero{id}}", NULL, NULL, "subscriptions are not offered" },
		{ "{hero{id @defer}}", NULL, NULL, "@defer" },
		{ "{hero{id @skip}}", NULL, NULL, "takes one argument" },
		{ "query A{hero{id}} query B{hero{id}}", NULL, NULL, "say which" },
		{ "query A{hero{id}}", "C", NULL, "operation \\\"C\\\" is not in the text" },
		{ "{__schema{types{name}}}", NULL, NULL, "introspection" },
		{ "{\n hero{\n  height\n }\n}", NULL, NULL,
		  "\"message\":\"field \\\"height\\\" does not exist on type Hero\",\"extensions\":{\"code\":\"field_unknown\",\"reason\":\"field_unknown\","
		  "\"field\":\"height\"},\"locations\":[{\"line\":3,\"column\":3}],\"path\":[\"hero\",\"height\"]" },
		{ "{hero{height @skip(if:true) id}}", NULL, NULL, "\\\"height\\\" does not exist" },
		{ "{nothing}", NULL, NULL, "\\\"nothing\\\" does not exist on type Query" },
		{ "{hero}", NULL, NULL, "say which of its fields" },
		{ "{hero{id{x}}}", NULL, NULL, "it has no fields" },
		{ "{being{id}}", NULL, NULL, "\\\"id\\\" does not exist on type Dog" },
		{ "{hero(name:1){id}}", NULL, NULL, "not an argument of hero" },
		{ "{hero{id ...X}}", NULL, NULL, "fragment \\\"X\\\" is not in the text" },
		{ "{hero{id ... on Cat{id}}}", NULL, NULL, "type \\\"Cat\\\"" },
		{ "{hero{id}} fragment F on Cat{id}", NULL, NULL, "type \\\"Cat\\\"" },
		{ "{hero{...F}} fragment F on Hero{id ...G} fragment G on Hero{self{...F}}", NULL, NULL, "contains itself" },
		{ "{hero{id}} fragment F on Hero{...F}", NULL, NULL, "contains itself" },
		{ "{hero{...F}} fragment F on Hero{id} fragment F on Hero{id}", NULL, NULL, "is there twice" },
		{ "{x:hero{id} x:must{id}}", NULL, NULL, "give one of them an alias" },
		{ "{hero(id:1){id} hero(id:2){id}}", NULL, NULL, "give one of them an alias" },
		{ "mutation{a:make(input:{name:\"n\"}) b:make(input:{name:\"n\"})}", NULL, NULL, "a mutation has one field" },
		{ "mutation{make}", NULL, NULL, "\\\"input\\\" of make is missing" },
		{ "mutation{make(input:{})}", NULL, NULL, "\\\"name\\\" of In is missing" },
		{ "mutation{make(input:{name:\"n\",x:1})}", NULL, NULL, "\\\"x\\\" is not an argument of In" },
		{ "mutation($i:In!){make(input:$i)}", NULL, NULL, "\\\"i\\\" must be of type In!" },
		{ "mutation($i:In!){make(input:$i)}", NULL, "{\"i\":{\"name\":\"n\",\"y\":1}}", "\\\"y\\\" is not a field of In" },
		{ "mutation($i:In!){make(input:$i)}", NULL, "{\"i\":{\"name\":5}}", "\\\"name\\\" must be of type String!" },
		{ "mutation($i:In){make(input:$i)}", NULL, "{\"i\":{\"name\":\"n\"}}", "is of type In, but In! is wanted" },
		{ "query($i:Hero){hero{id}}", NULL, NULL, "no input type" },
		{ "query($i:Int,$i:Int){hero{id}}", NULL, NULL, "declared twice" },
		{ "{hero(id:$i){id}}", NULL, NULL, "variable \\\"$i\\\" is not declared" },
		{ "{echo(i:3000000000)}", NULL, NULL, "\\\"i\\\" must be of type Int" },
		{ "{echo(i:\"3\")}", NULL, NULL, "\\\"i\\\" must be of type Int" },
		{ "{echo(e:\"SAD\")}", NULL, NULL, "must be of type Mood" },
		{ "{echo(e:MAD)}", NULL, NULL, "must be of type Mood" },
		{ "{echo(s:SAD)}", NULL, NULL, "must be of type String" },
		{ "{echo(l:[1,null])}", NULL, NULL, "must be of type Int!" },
		{ "query($b:Boolean){hero{id @skip(if:$b)}}", NULL, NULL, "but Boolean! is wanted" },
	};

	(void)state;
	expect_rows(rows, ARRAY_LEN(rows), false);
}

/* `part` so many times between two others. */
static char *repeat(const char *before, const char *part, size_t n, const char *after)
{
	size_t len = strlen(part);
	char *text = calloc(1, strlen(before) + n * len + strlen(after) + 1), *p;

	assert_non_null(text);
	p = stpcpy(text, before);
	for (size_t i = 0; i < n; i++)
		p = stpcpy(p, part);
	stpcpy(p, after);
	return text;
}

static void expect_part(const char *text, const char *part, bool there)
{
	CLEAN_FREE char *got = reply_of(text, NULL, NULL);

	if ((strstr(got, part) != NULL) != there)
		fail_msg("%.60s...: %.300s", text, got);
}

static char *aliases(int n)
{
	char *text = calloc(1, (size_t)n * 16 + 8), *p = text + sprintf(text, "{hero{");

	for (int i = 0; i < n; i++)
		p += sprintf(p, "a%d:id ", i);
	strcpy(p, "}}");
	return text;
}

static void depth_and_aliases_have_limits(void **state)
{
	CLEAN_FREE char *deep = repeat("{hero", "{self", 10, "{id}}}}}}}}}}}}"), *deeper = repeat("{hero", "{self", 11, "{id}}}}}}}}}}}}}");
	CLEAN_FREE char *braces = repeat("{hero", "{...", 100000 / 8, "{id}"), *lists = repeat("{echo(l:", "[", 30000, "");
	CLEAN_FREE char *some = aliases(100), *many = aliases(101);

	(void)state;
	expect_part(deep, "\"errors\"", false);
	expect_part(deeper, "nested deeper than 12", true);
	expect_part(braces, "nested deeper than 24", true);
	expect_part(lists, "nested deeper than 24", true);
	expect_part(some, "\"errors\"", false);
	expect_part(many, "more than 100 aliases", true);
}

static void cost_is_counted_after_fragments_are_expanded(void **state)
{
	/* each fragment twice the next: 2^n fields of a text of n lines */
	char text[4096], *p = text + sprintf(text, "{hero{...f0}}");
	CLEAN_FREE char *wide = repeat("{hero{", "id ", 9990, "}}"), *wider = repeat("{hero{", "id ", 10001, "}}");
	CLEAN_FREE char *names = repeat("query(", "$a:Int,", 201, "){hero{id}}"), *long_text = repeat("{hero{", " ", GQL_TEXT_MAX, "id}}");

	(void)state;
	for (int i = 0; i < 40; i++)
		p += sprintf(p, " fragment f%d on Hero{...f%d ...f%d}", i, i + 1, i + 1);
	sprintf(p, " fragment f40 on Hero{id}");
	expect_part(text, "more than 10000 fields", true);
	expect_part(wide, "\"errors\"", false);
	expect_part(wider, "more than 10000 fields", true);
	expect_part(names, "\"errors\"", true);
	expect_part(long_text, "at most 65536", true);
}

static void long_arguments_cost_wherever_a_fragment_brings_them(void **state)
{
	char before[2048], *p = before;
	CLEAN_FREE char *text = NULL;

	(void)state;
	p += sprintf(p, "{hero{...f0}}");
	for (int i = 0; i < 8; i++)
		p += sprintf(p, " fragment f%d on Hero{a:self{...f%d} b:self{...f%d}}", i, i + 1, i + 1);
	sprintf(p, " fragment f8 on Hero{self(id:\"");
	text = repeat(before, "x", 20000, "\"){id}}");
	expect_part(text, "more than 10000 fields", true);
}

static void a_reply_has_a_limit_too(void **state)
{
	char text[2048], *p = text + sprintf(text, "{hero{...f0}}"); /* 2 friends, asked for twice, at each level: 4^n look-ups */

	(void)state;
	for (int i = 0; i < 7; i++)
		p += sprintf(p, " fragment f%d on Hero{a:friends{...f%d} b:friends{...f%d}}", i, i + 1, i + 1);
	sprintf(p, " fragment f7 on Hero{id}");
	expect_part(text, "more than 2000 look-ups", true);
	expect_part("{hero{friends{friends{friends{id}}}}}", "\"errors\"", false);
}

static void what_is_not_offered_says_so_with_its_place_whatever_its_arguments_are(void **state)
{
	static const struct row rows[] = {
		{ "{h:hero{id c:cape(size:5){colour}}}", NULL, NULL,
		  "{\"errors\":[{\"message\":\"no hero wears a cape\",\"extensions\":{\"code\":\"not_offered\",\"reason\":\"not_offered\",\"field\":\"cape\"},"
		  "\"locations\":[{\"line\":1,\"column\":12}],\"path\":[\"h\",\"c\"]}]}" },
		{ "mutation($in:FlyInput!){fly(input:$in){height}}", NULL, "{\"in\":{\"far\":true}}",
		  "{\"errors\":[{\"message\":\"nobody flies here\",\"extensions\":{\"code\":\"not_offered\",\"reason\":\"not_offered\",\"field\":\"fly\"},"
		  "\"locations\":[{\"line\":1,\"column\":25}],\"path\":[\"fly\"]}]}" },
	};
	/* a type that nobody knows stays the error of what is offered */
	static const struct row unknown[] = {
		{ "query($x:Nosuch){hero{id}}", NULL, "{\"x\":1}", "variable \\\"$x\\\" has type Nosuch" },
		{ "query($x:Nosuch){echo(s:$x)}", NULL, "{\"x\":1}", "variable \\\"$x\\\" has type Nosuch" },
		{ "query($x:Nosuch!){nothing}", NULL, NULL, "variable \\\"$x\\\" has type Nosuch" },
		{ "{cape}", NULL, NULL, "field \\\"cape\\\" does not exist on type Query" },
	};

	(void)state;
	expect_rows(rows, ARRAY_LEN(rows), true);
	expect_rows(unknown, ARRAY_LEN(unknown), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_is_answered_in_that_order_and_under_that_name),
		cmocka_unit_test(values_come_in_the_form_of_their_type),
		cmocka_unit_test(what_only_a_resolver_can_refuse_has_a_path_and_the_rest_an_answer),
		cmocka_unit_test(a_null_that_must_not_be_reaches_the_root),
		cmocka_unit_test(what_is_wrong_in_the_text_is_refused_before_anything_runs),
		cmocka_unit_test(depth_and_aliases_have_limits),
		cmocka_unit_test(cost_is_counted_after_fragments_are_expanded),
		cmocka_unit_test(long_arguments_cost_wherever_a_fragment_brings_them),
		cmocka_unit_test(a_reply_has_a_limit_too),
		cmocka_unit_test(what_is_not_offered_says_so_with_its_place_whatever_its_arguments_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* gql_fixture - a small schema whose resolvers answer from texts: what the engine does, without anything to ask. */
#pragma once

#include "controller/graphql/graphql.h"

#include <string.h>

static inline int fx_json(json_t **ret, const char *text)
{
	*ret = json_loads(text, JSON_DECODE_ANY, NULL);
	return *ret ? 0 : -EINVAL;
}

static inline int fx_hero(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	const char *id = json_string_value(json_object_get(args, "id"));

	(void)ctx;
	(void)parent;
	if (id && !strcmp(id, "none"))
		return why_set(why, "hero_not_found", "id", "hero \"%s\" does not exist", id);
	if (id && !strcmp(id, "broken"))
		return -ENOSPC;
	if (id && !strcmp(id, "hollow"))
		return fx_json(ret, "{\"id\":\"7\"}"); /* its name is missing, and must not be */
	return fx_json(ret, "{\"id\":\"1\",\"name\":\"Ann\",\"age\":41,\"mood\":\"HAPPY\",\"extra\":{\"deep\":[1]},\"tags\":[\"a\",\"b\"]}");
}

static inline int fx_friends(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)parent;
	(void)args;
	(void)why;
	return fx_json(ret, "[{\"id\":\"2\",\"name\":\"Bo\"},{\"id\":\"3\"},null]");
}

static inline int fx_echo(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)parent;
	(void)why;
	*ret = json_deep_copy(args);
	return 0;
}

static inline int fx_being(void *ctx, const json_t *parent, const json_t *args, json_t **ret, struct why *why)
{
	(void)ctx;
	(void)parent;
	(void)why;
	return fx_json(ret, json_is_true(json_object_get(args, "dog")) ? "{\"__typename\":\"Dog\",\"bark\":\"wuff\"}" :
									  "{\"__typename\":\"Hero\",\"id\":\"1\",\"name\":\"Ann\"}");
}

static const struct gql_input fx_id_args[] = { { "id", "ID" }, { 0 } };
static const struct gql_input fx_dog_args[] = { { "dog", "Boolean" }, { 0 } };
static const struct gql_input fx_echo_args[] = { { "s", "String" }, { "i", "Int" },     { "f", "Float" }, { "b", "Boolean" },
						 { "e", "Mood" },   { "l", "[Int!]" }, { "in", "In" },   { 0 } };
static const struct gql_input fx_make_args[] = { { "input", "In!" }, { 0 } };
static const struct gql_input fx_in[] = { { "name", "String!" }, { "mood", "Mood" }, { "nums", "[Int!]" }, { "in", "In" }, { 0 } };
static const char *const fx_moods[] = { "HAPPY", "SAD", NULL };
static const char *const fx_beings[] = { "Hero", "Dog", NULL };
static const struct gql_field fx_query[] = { { "hero", "Hero", fx_hero, fx_id_args },
					     { "must", "Hero!", fx_hero, fx_id_args },
					     { "echo", "JSON", fx_echo, fx_echo_args },
					     { "being", "Being", fx_being, fx_dog_args },
					     { 0 } };
static const struct gql_field fx_mutation[] = { { "make", "JSON", fx_echo, fx_make_args }, { 0 } };
static const struct gql_field fx_hero_fields[] = { { "id", "ID!", NULL, NULL },	{ "name", "String!", NULL, NULL },
						   { "age", "Int", NULL, NULL },	{ "mood", "Mood", NULL, NULL },
						   { "tags", "[String!]", NULL, NULL }, { "extra", "JSON", NULL, NULL },
						   { "nick", "String", NULL, NULL },	{ 0 } };
/* of another noun's file, so in a table of its own */
static const struct gql_field fx_hero_more[] = { { "friends", "[Hero]", fx_friends, NULL }, { "self", "Hero", fx_hero, fx_id_args }, { 0 } };
static const struct gql_field fx_dog[] = { { "bark", "String!", NULL, NULL }, { 0 } };
static const struct gql_type fx_types[] = { { .name = "Query", .fields = fx_query },
					    { .name = "Mutation", .fields = fx_mutation },
					    { .name = "Hero", .fields = fx_hero_fields },
					    { .name = "Dog", .fields = fx_dog },
					    { .name = "Being", .kind = GQL_UNION, .names = fx_beings },
					    { .name = "Mood", .kind = GQL_ENUM, .names = fx_moods },
					    { .name = "In", .kind = GQL_INPUT, .inputs = fx_in },
					    { 0 } };
static const struct gql_type fx_more[] = { { .name = "Hero", .fields = fx_hero_more }, { 0 } };
static const struct gql_type *const fx_tables[] = { fx_types, fx_more, NULL };
static const struct gql_absent fx_absent[] = { { "Hero", "cape", "no hero wears a cape" },
					       { "Mutation", "fly", "nobody flies here" },
					       { 0 } };
static const struct gql_schema fx_schema = { fx_tables, NULL, fx_absent };

/* output - tables, one object, JSON and tab-separated values, all from the API's JSON. Data only, to cli->out. */
#pragma once
#include "controller/cli/cli.h"

#define OUTPUT_WIDTH 100

/* The text of the value at path ("observed.state"); lists are joined by ",", null and absent are "". */
void output_text(const json_t *object, const char *path, struct buf *ret_text);
/* items: an array. --json prints the array as {"items":...}, --tsv and table the columns, -q the key field only. */
void output_list(struct cli *cli, const json_t *items, const struct cli_column *columns, const char *key);
/* One object: all of it with --json, else one line per column, -q the key. */
void output_object(struct cli *cli, const json_t *object, const struct cli_column *columns, const char *key);
void output_json(struct cli *cli, const json_t *json);

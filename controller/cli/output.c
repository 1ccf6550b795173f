/* output - see output.h. */
#include "controller/cli/output.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16
#define CELL_MIN 8

static void add_value(const json_t *j, struct buf *ret_text)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(j))
		buf_add_str(ret_text, json_string_value(j));
	else if (json_is_integer(j))
		buf_printf(ret_text, "%lld", (long long)json_integer_value(j));
	else if (json_is_real(j))
		buf_printf(ret_text, "%g", json_real_value(j));
	else if (json_is_boolean(j))
		buf_add_str(ret_text, json_is_true(j) ? "yes" : "no");
	json_array_foreach(j, i, value) {
		buf_add_str(ret_text, i ? "," : "");
		add_value(value, ret_text);
	}
	json_object_foreach((json_t *)(uintptr_t)j, key, value) {
		buf_printf(ret_text, "%s%s=", ret_text->len && ret_text->data[ret_text->len - 1] != ',' ? "," : "", key);
		add_value(value, ret_text);
	}
}

/* What a terminal would take for a command, and what would break a line of a table, is shown as "?". */
static void tame(struct buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] < 0x20 || text->data[i] == 0x7f)
			text->data[i] = '?';
}

void output_text(const json_t *object, const char *path, struct buf *ret_text)
{
	const json_t *at = object;
	char name[64];

	for (const char *p = path; at && *p; p += strcspn(p, "."), p += *p == '.') {
		snprintf(name, sizeof name, "%.*s", (int)strcspn(p, "."), p);
		at = json_object_get(at, name);
	}
	if (at)
		add_value(at, ret_text);
	tame(ret_text);
}

void output_json(struct cli *cli, const json_t *json)
{
	json_dumpf(json, cli->out, JSON_INDENT(2));
	fputc('\n', cli->out);
}

/* Columns of characters, not bytes. */
static size_t text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_cell(FILE *out, const char *text, size_t width, bool last)
{
	size_t have = text_width(text);

	if (have > width) {
		for (size_t n = 0; *text && n + 1 < width; n++)
			do
				fputc(*text++, out);
			while (((unsigned char)*text & 0xc0) == 0x80);
		fputs(last ? "~" : "~  ", out);
		return;
	}
	fputs(text, out);
	if (!last)
		fprintf(out, "%*s", (int)(width - have + 2), "");
}

struct table {
	const struct cli_column *columns;
	size_t n_columns, n_rows;
	char **cells; /* row by row */
	size_t width[COLUMNS_MAX];
};

static void table_deinit(struct table *t)
{
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
}

static void table_fill(struct table *t, const json_t *items, const struct cli_column *columns)
{
	json_t *item;
	size_t row;

	*t = (struct table){ .columns = columns };
	while (columns[t->n_columns].title && t->n_columns < COLUMNS_MAX) {
		t->width[t->n_columns] = strlen(columns[t->n_columns].title);
		t->n_columns++;
	}
	t->cells = calloc(json_array_size(items) * t->n_columns + 1, sizeof *t->cells);
	if (!t->cells)
		return;
	t->n_rows = json_array_size(items);
	json_array_foreach(items, row, item)
		for (size_t c = 0; c < t->n_columns; c++) {
			CLEAN_BUF struct buf text = BUF_INIT(1u << 20);

			output_text(item, columns[c].path, &text);
			t->cells[row * t->n_columns + c] = strdup(buf_str(&text));
			if (text_width(buf_str(&text)) > t->width[c])
				t->width[c] = text_width(buf_str(&text));
		}
}

/* Takes from the widest column until it fits a page; only for people, programs get all of it. */
static void table_fit(struct table *t)
{
	for (;;) {
		size_t total = 0, widest = 0;

		for (size_t c = 0; c < t->n_columns; c++) {
			total += t->width[c] + 2;
			if (t->width[c] > t->width[widest])
				widest = c;
		}
		if (total <= OUTPUT_WIDTH + 2 || t->width[widest] <= CELL_MIN)
			return;
		t->width[widest]--;
	}
}

static void table_print(struct cli *cli, struct table *t, bool tabs)
{
	bool bold = cli->out_is_terminal && !cli_env(cli, "NO_COLOR");

	if (!tabs && cli->out_is_terminal)
		table_fit(t);
	if (!tabs) {
		fputs(bold ? "\033[1m" : "", cli->out);
		for (size_t c = 0; c < t->n_columns; c++)
			print_cell(cli->out, t->columns[c].title, t->width[c], c + 1 == t->n_columns);
		fputs(bold ? "\033[0m\n" : "\n", cli->out);
	}
	for (size_t row = 0; row < t->n_rows; row++) {
		for (size_t c = 0; c < t->n_columns; c++) {
			const char *cell = t->cells[row * t->n_columns + c];

			if (tabs)
				fprintf(cli->out, "%s%s", c ? "\t" : "", cell ? cell : "");
			else
				print_cell(cli->out, cell ? cell : "", t->width[c], c + 1 == t->n_columns);
		}
		fputc('\n', cli->out);
	}
}

static void print_key(struct cli *cli, const json_t *object, const char *key)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);

	output_text(object, key, &text);
	fprintf(cli->out, "%s\n", buf_str(&text));
}

void output_list(struct cli *cli, const json_t *items, const struct cli_column *columns, const char *key)
{
	struct table t;
	json_t *item;
	size_t i;

	if (cli_has(cli, "json")) {
		CLEAN_JSON json_t *whole = json_pack("{s:O}", "items", items);

		output_json(cli, whole);
		return;
	}
	if (cli_has(cli, "q")) {
		json_array_foreach(items, i, item)
			print_key(cli, item, key);
		return;
	}
	table_fill(&t, items, columns);
	table_print(cli, &t, cli_has(cli, "tsv"));
	table_deinit(&t);
}

void output_object(struct cli *cli, const json_t *object, const struct cli_column *columns, const char *key)
{
	if (cli_has(cli, "json")) {
		output_json(cli, object);
		return;
	}
	if (cli_has(cli, "q")) {
		print_key(cli, object, key);
		return;
	}
	for (; columns->title; columns++) {
		CLEAN_BUF struct buf text = BUF_INIT(1u << 20);
		char title[32];
		size_t n;

		output_text(object, columns->path, &text);
		for (n = 0; columns->title[n] && n + 1 < sizeof title; n++)
			title[n] = columns->title[n] >= 'A' && columns->title[n] <= 'Z' ? (char)(columns->title[n] | 0x20) : columns->title[n];
		title[n] = 0;
		if (cli_has(cli, "tsv"))
			fprintf(cli->out, "%s\t%s\n", title, buf_str(&text));
		else if (text.len)
			fprintf(cli->out, "%-12s  %s\n", title, buf_str(&text));
	}
}

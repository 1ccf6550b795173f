/* lexer - GraphQL text to tokens. */
#pragma once
#include "controller/graphql/arena.h"

enum token_kind { TOKEN_END, TOKEN_PUNCT, TOKEN_SPREAD, TOKEN_NAME, TOKEN_INT, TOKEN_FLOAT, TOKEN_STRING };

struct token {
	enum token_kind kind;
	char punct;       /* of TOKEN_PUNCT */
	const char *text; /* into the source; of a string: decoded, in the arena */
	size_t len;
	unsigned line, column;
};

struct lexer {
	struct arena *arena;
	const char *p, *end, *line_start;
	unsigned line;
};

void lexer_init(struct lexer *lexer, struct arena *arena, const char *text, size_t len);
/* E_REFUSED with why; -ENOMEM. ret_token's line and column are set in any case. */
int lexer_next(struct lexer *lexer, struct token *ret_token, struct why *why) MUST_CHECK;

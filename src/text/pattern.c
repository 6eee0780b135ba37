/* pattern.c - PCRE2 behind a small iterator. The dialect of the files is Oniguruma's Ruby syntax, where ^ and
 * $ are those of lines; PCRE2_MULTILINE gives the same. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"
#include <pcre2.h>
#include <stdlib.h>

struct Pattern { pcre2_code *code; };

struct PatternRun {
	const Pattern *p;
	const char *text;
	size_t n, at, last; /* last: end of the last match, SIZE_MAX before the first */
	pcre2_match_data *data;
	pcre2_match_context *limits;
	int failed;
};

Pattern *pattern_new(const char *s, size_t n, bool literal, const char *where, Err *e)
{
	int code;
	size_t at;
	char why[128];
	uint32_t options =
		PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
	if (n > PATTERN_MAX) {
		err_set(e, E_5003, "%s: a pattern of %zu bytes; the limit is %d", where, n, PATTERN_MAX);
		return NULL;
	}
	Pattern *p = calloc(1, sizeof *p);
	pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
	if (p && cc) {
		pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
		pcre2_set_parens_nest_limit(cc, 100);
		p->code = pcre2_compile((PCRE2_SPTR)s, n, options, &code, &at, cc);
	}
	pcre2_compile_context_free(cc);
	if (!p || !cc) {
		err_set(e, E_5001, "%s: out of memory for a pattern", where);
	} else if (!p->code) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
		err_set(e, E_3135, "%s: pre_tokenizer: pattern \"%.*s\": at byte %zu: %s", where,
			n < 80 ? (int)n : 80, s, at, why);
	} else {
		pcre2_jit_compile(
			p->code, PCRE2_JIT_COMPLETE); /* without a JIT the interpreter does the same work */
		return p;
	}
	free(p);
	return NULL;
}

void pattern_free(Pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	free(p);
}

PatternRun *pattern_start(const Pattern *p, const char *text, size_t n, Err *e)
{
	if (n > PATTERN_TEXT_MAX) {
		err_set(e, E_5003,
			"a text of %zu bytes for patterns that lathe does not know by heart: more than %d",
			n, PATTERN_TEXT_MAX);
		return NULL;
	}
	PatternRun *r = calloc(1, sizeof *r);
	if (r)
		*r = (PatternRun){ .p = p,
			.text = text,
			.n = n,
			.last = SIZE_MAX,
			.data = pcre2_match_data_create_from_pattern(p->code, NULL),
			.limits = pcre2_match_context_create(NULL) };
	if (!r || !r->data || !r->limits) {
		err_set(e, E_5001, "out of memory for a pattern search");
		if (r)
			pattern_end(r, NULL);
		return NULL;
	}
	pcre2_set_match_limit(r->limits, PATTERN_STEPS);
	pcre2_set_heap_limit(r->limits, 1 << 16); /* KiB */
	return r;
}

static size_t char_len(const char *s)
{
	unsigned char c = (unsigned char)*s;
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

bool pattern_next(PatternRun *r, size_t *from, size_t *to)
{
	while (!r->failed && r->at <= r->n) {
		int k = pcre2_match(
			r->p->code, (PCRE2_SPTR)r->text, r->n, r->at, PCRE2_NO_UTF_CHECK, r->data, r->limits);
		if (k == PCRE2_ERROR_NOMATCH)
			return false;
		if (k < 0) {
			r->failed = k;
			return false;
		}
		const size_t *v = pcre2_get_ovector_pointer(r->data);
		*from = v[0];
		*to = v[1];
		if (v[1] < v[0]) { /* \K in a look-ahead */
			r->failed = PCRE2_ERROR_INTERNAL;
			return false;
		}
		if (*from == *to && *to == r->last) {
			r->at = *to < r->n ? *to + char_len(r->text + *to) : r->n + 1;
			continue;
		}
		r->at = r->last = *to;
		return true;
	}
	return false;
}

bool pattern_end(PatternRun *r, Err *e)
{
	int failed = r->failed;
	pcre2_match_data_free(r->data);
	pcre2_match_context_free(r->limits);
	free(r);
	if (!failed)
		return true;
	if (failed == PCRE2_ERROR_MATCHLIMIT || failed == PCRE2_ERROR_HEAPLIMIT ||
		failed == PCRE2_ERROR_DEPTHLIMIT || failed == PCRE2_ERROR_JIT_STACKLIMIT)
		return err_set(e, E_3135,
			"a pre_tokenizer pattern needs more than %d steps or too much memory on this text; "
			"use another tokenizer.json or a shorter text",
			PATTERN_STEPS);
	return err_set(e, E_3135, "a pre_tokenizer pattern failed on this text (PCRE2 error %d)", failed);
}

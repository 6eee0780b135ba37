/* json.c - JSON from strangers. A scan outside strings bounds depth and counts before jansson may recurse
 * or allocate; jansson then refuses duplicate keys, bad UTF-8, NUL, numbers that do not fit, and anything
 * behind the value. */
#include "base/json.h"
#include <string.h>

typedef struct Place { size_t line, column; } Place;

static Place place_of(const char *s, size_t at)
{
	Place p = { 1, 1 };
	for (size_t i = 0; i < at; i++) {
		p.column++;
		if (s[i] == '\n') {
			p.line++;
			p.column = 1;
		}
	}
	return p;
}

/* Index behind the string that opens at s[i]; n when it does not end (jansson then says so). */
static size_t string_skip(const char *s, size_t n, size_t i)
{
	for (i++; i < n && s[i] != '"'; i++)
		if (s[i] == '\\')
			i++;
	return i < n ? i + 1 : n;
}

/* Depth and counts. Text that is not JSON may be miscounted here: jansson refuses it afterwards in any case,
 * having seen no more opening brackets than this scan has. */
static bool shape_check(const char *s, size_t n, const char *where, int code, Err *e)
{
	size_t depth = 0, nests = 0, values = 0;
	for (size_t i = 0; i < n;) {
		char c = s[i];
		if (c == '"') {
			i = string_skip(s, n, i);
			continue;
		}
		if (c == '{' || c == '[') {
			depth++;
			nests++;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
		values += c == ',';
		if (depth > JSON_DEPTH) {
			Place p = place_of(s, i);
			return err_set(e, code, "%s: line %zu, column %zu: JSON nested more than %d deep",
				where, p.line, p.column, JSON_DEPTH);
		}
		if (nests > JSON_NESTS || values > JSON_VALUES)
			return err_set(e, E_5003, "%s: JSON with more than %d objects and arrays or %d values",
				where, JSON_NESTS, JSON_VALUES);
		i++;
	}
	return true;
}

static json_t *text_parse(const char *s, size_t n, size_t flags, const char *where, int code, Err *e)
{
	json_error_t why;
	if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		err_set(e, code, "%s: line 1: starts with a byte order mark; save it as UTF-8 without one", where);
		return NULL;
	}
	if (!shape_check(s, n, where, code, e))
		return NULL;
	json_t *j = json_loadb(n ? s : "", n, JSON_REJECT_DUPLICATES | flags, &why);
	/* jansson gives no reason at all when its first allocation fails */
	if (!j && (json_error_code(&why) == json_error_out_of_memory || !why.text[0]))
		err_set(e, E_5001, "%s: out of memory while reading JSON", where);
	else if (!j)
		err_set(e, code, "%s: line %d, column %d: not valid JSON: %s", where,
			why.line > 0 ? why.line : 1, why.column > 0 ? why.column : 0, why.text);
	return j;
}

json_t *json_parse(const char *s, size_t n, const char *where, int code, Err *e)
{
	return text_parse(s, n, 0, where, code, e);
}

json_t *json_parse_nul(const char *s, size_t n, const char *where, int code, Err *e)
{
	return text_parse(s, n, JSON_ALLOW_NUL, where, code, e);
}

json_t *json_parse_file(const char *path, size_t max, int code, Err *e)
{
	Buf b = BUF_INIT;
	json_t *j = NULL;
	if (buf_read_file(&b, path, max, e))
		j = json_parse(buf_str(&b), b.len, path, code, e);
	buf_done(&b);
	return j;
}

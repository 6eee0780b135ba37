/* lines.c - reads golden files of one JSON object per line. */
#include "tests/text/lines.h"
#include "tests/unit.h"
#include <stdio.h>
#include <string.h>

size_t lines_each(const char *path, LineFn fn, void *ctx)
{
	Buf b = BUF_INIT;
	Err e = { 0 };
	size_t n = 0;
	if (!buf_read_file(&b, path, 1 << 24, &e))
		fail_msg("%s", e.text);
	for (const char *s = buf_str(&b), *lf; *s; s = lf + 1, n++) {
		lf = strchr(s, '\n');
		assert_non_null(lf);
		json_t *line = json_parse_nul(s, (size_t)(lf - s), path, E_3138, &e);
		if (!line)
			fail_msg("line %zu: %s", n + 1, e.text);
		fn(line, ctx);
		json_decref(line);
	}
	buf_done(&b);
	return n;
}

void lines_ids(const json_t *line, Ids *out)
{
	const json_t *v = json_object_get(line, "ids");
	for (size_t i = 0; i < json_array_size(v); i++)
		assert_true(ids_push(out, (int32_t)json_integer_value(json_array_get(v, i))));
}

void lines_same(const json_t *want, const Buf *got)
{
	assert_true(json_is_string(want));
	if (got->len == json_string_length(want) &&
		memcmp(buf_str(got), json_string_value(want), got->len) == 0)
		return;
	fail_msg("got \"%s\", not \"%s\"", buf_str(got), json_string_value(want));
}

const char *lines_path(const char *name, const char *file)
{
	char rel[256];
	snprintf(rel, sizeof rel, "tests/data/tokenizers/%s/%s", name, file);
	return unit_src(rel);
}

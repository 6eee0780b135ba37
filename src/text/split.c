/* split.c - reads the "pre_tokenizer" of a tokenizer.json, knows the V3 and V2 sequences by their
 * patterns, and runs any other sequence of Split, Digits and ByteLevel step by step. */
#include "text/split.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* Patterns as the released files have them. */
static const char *const v3_patterns[] = {
	"\\p{N}{1,3}",
	"[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+",
	("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
	 "?[\\p{P}\\p{S}]+[\\r\\n]*"
	 "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
};

static const char v2_letters[] =
	"\\s?[A-Za-z"
	"\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-"
	"\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-"
	"\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-"
	"\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-"
	"\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-"
	"\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-"
	"\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-"
	"\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-"
	"\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-"
	"\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-"
	"\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-"
	"\U000118df\U0001e900-\U0001e943]+";

static const char *const v2_patterns[] = {
	"[\r\n]", v2_letters, "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", "\\s+$",
	"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
};

/* What ByteLevel does with use_regex: the pattern of GPT-2. */
static const char gpt2_pattern[] =
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef struct Build {
	Split *s;
	const char *where;
	Err *e;
	const char *seen[STEPS_MAX]; /* the patterns' text, NULL for Digits */
	bool literal[STEPS_MAX];
	bool bytes;                  /* ByteLevel has come: nothing may follow */
	bool general;
} Build;

static bool pre_fail(Build *b, const char *what)
{
	return err_set(b->e, E_3131, "%s: pre_tokenizer: %s", b->where, what);
}

/* The boolean at a key: false with an error when it has another type. */
static bool flag_get(Build *b, const json_t *o, const char *key, bool fallback, bool *out)
{
	const json_t *v = json_object_get(o, key);
	*out = v ? json_is_true(v) : fallback;
	if (v && !json_is_boolean(v))
		return err_set(b->e, E_3130, "%s: pre_tokenizer: \"%s\" is not true or false", b->where, key);
	return true;
}

static bool step_add(Build *b, StepKind kind, const char *s, bool literal)
{
	if (b->s->steps == STEPS_MAX)
		return err_set(b->e, E_5003, "%s: pre_tokenizer: more than %d steps", b->where, STEPS_MAX);
	b->s->step[b->s->steps] = (Step){ .kind = kind };
	b->seen[b->s->steps] = s;
	b->literal[b->s->steps++] = literal;
	return true;
}

static bool split_read(Build *b, const json_t *o)
{
	const json_t *pattern = json_object_get(o, "pattern"), *regex = json_object_get(pattern, "Regex");
	const json_t *text = regex ? regex : json_object_get(pattern, "String");
	const char *behavior = json_string_value(json_object_get(o, "behavior"));
	bool invert;
	if (!flag_get(b, o, "invert", false, &invert))
		return false;
	if (!json_is_string(text) || json_string_length(text) == 0)
		return pre_fail(b, "a Split without a \"Regex\" or \"String\" pattern");
	if (!behavior || strcmp(behavior, "Isolated") != 0 || invert)
		return pre_fail(b,
			"a Split with a behavior other than Isolated, or inverted: lathe does only Isolated");
	return step_add(b, STEP_PATTERN, json_string_value(text), !regex);
}

static bool digits_read(Build *b, const json_t *o)
{
	bool single;
	return flag_get(b, o, "individual_digits", false, &single) &&
		step_add(b, single ? STEP_DIGIT : STEP_DIGITS, NULL, false);
}

static bool bytes_read(Build *b, const json_t *o)
{
	bool prefix, regex;
	if (!flag_get(b, o, "add_prefix_space", true, &prefix) || !flag_get(b, o, "use_regex", true, &regex))
		return false;
	if (prefix)
		return pre_fail(b, "ByteLevel with add_prefix_space: lathe does it only without");
	b->bytes = true;
	return !regex || step_add(b, STEP_PATTERN, gpt2_pattern, false);
}

static bool part_read(Build *b, const json_t *o, int depth)
{
	const char *type = json_string_value(json_object_get(o, "type"));
	const json_t *list = json_object_get(o, "pretokenizers"), *x;
	size_t i;
	if (!type)
		return pre_fail(b, "an entry without a \"type\"");
	if (b->bytes)
		return pre_fail(b, "something follows ByteLevel, which must come last");
	if (strcmp(type, "Split") == 0)
		return split_read(b, o);
	if (strcmp(type, "Digits") == 0)
		return digits_read(b, o);
	if (strcmp(type, "ByteLevel") == 0)
		return bytes_read(b, o);
	if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 4)
		return err_set(b->e, E_3131,
			"%s: pre_tokenizer: type \"%.40s\": lathe knows Sequence, Split, Digits and "
			"ByteLevel",
			b->where, type);
	json_array_foreach(list, i, x)
		if (!part_read(b, x, depth + 1))
			return false;
	return true;
}

/* One character of a pattern; \r and \n may be written as escapes or stand there raw. */
static char letter_take(const char **s)
{
	char c = *(*s)++;
	if (c == '\\' && (**s == 'r' || **s == 'n'))
		c = *(*s)++ == 'r' ? '\r' : '\n';
	else if (c == '\\' && **s == '\\') /* so that the second one begins no escape */
		(*s)++;
	return c;
}

static bool patterns_same(const char *a, const char *b)
{
	while (*a && *b)
		if (letter_take(&a) != letter_take(&b))
			return false;
	return *a == *b;
}

/* Are the steps read exactly these patterns, and then `digits` more steps of single digits? */
static bool steps_are(const Build *b, const char *const *pattern, int n, int digits)
{
	if (b->s->steps != n + digits)
		return false;
	for (int i = 0; i < n; i++)
		if (!b->seen[i] || b->literal[i] || !patterns_same(b->seen[i], pattern[i]))
			return false;
	return digits == 0 || b->s->step[n].kind == STEP_DIGIT;
}

static bool patterns_compile(const Build *b)
{
	for (int i = 0; i < b->s->steps; i++) {
		Step *t = &b->s->step[i];
		if (t->kind == STEP_PATTERN &&
			!(t->pattern = pattern_new(
				  b->seen[i], strlen(b->seen[i]), b->literal[i], b->where, b->e)))
			return false;
	}
	return true;
}

static bool kind_choose(const Build *b)
{
	Split *s = b->s;
	s->kind = s->steps ? SPLIT_STEPS : SPLIT_NONE;
	if (!b->general && steps_are(b, v3_patterns, 3, 0))
		s->kind = SPLIT_V3;
	if (!b->general && steps_are(b, v2_patterns, 5, 1))
		s->kind = SPLIT_V2;
	if (s->kind == SPLIT_V3)
		s->classes = classes_v3();
	if (s->kind == SPLIT_V2)
		s->classes = classes_v2();
	if (s->kind == SPLIT_STEPS)
		return patterns_compile(b);
	if ((s->kind == SPLIT_V3 || s->kind == SPLIT_V2) && !s->classes)
		return err_set(b->e, E_5001, "%s: out of memory for character classes", b->where);
	return true;
}

bool split_init(Split *s, const json_t *pre_tokenizer, bool general, const char *where, Err *e)
{
	Build b = { .s = s, .where = where, .e = e, .general = general };
	*s = (Split){ 0 };
	if (!part_read(&b, pre_tokenizer, 0))
		return false;
	if (!b.bytes)
		return pre_fail(&b, "no ByteLevel step: lathe does only byte-level tokenizers");
	return kind_choose(&b);
}

void split_done(Split *s)
{
	for (int i = 0; i < s->steps; i++)
		pattern_free(s->step[i].pattern);
	free(s->classes);
	*s = (Split){ 0 };
}

typedef struct Walk { const Split *s; PieceFn fn; void *ctx; Err *e; } Walk;

static bool steps_run(const Walk *w, int i, const char *text, size_t n);

static bool piece_pass(const Walk *w, int i, const char *text, size_t from, size_t to)
{
	return from == to || steps_run(w, i, text + from, to - from);
}

static bool pattern_run(const Walk *w, int i, const char *text, size_t n)
{
	PatternRun *r = pattern_start(w->s->step[i].pattern, text, n, w->e);
	size_t gap = 0, from, to;
	bool ok = r != NULL;
	while (ok && pattern_next(r, &from, &to)) {
		if (from < gap)
			continue; /* a look-behind with \K */
		ok = piece_pass(w, i + 1, text, gap, from) && piece_pass(w, i + 1, text, from, to);
		gap = to;
	}
	return r && pattern_end(r, w->e) && ok && piece_pass(w, i + 1, text, gap, n);
}

static bool digits_run(const Walk *w, int i, const char *text, size_t n)
{
	bool each = w->s->step[i].kind == STEP_DIGIT, was = false;
	size_t gap = 0;
	for (size_t p = 0, len; p < n; p += len) {
		uint32_t cp;
		len = utf8_next(text + p, n - p, &cp);
		bool digit = cp < 0x80 ? cp >= '0' && cp <= '9' : utf8_class(cp) == 'N';
		if (digit != was || (digit && each)) {
			if (!piece_pass(w, i + 1, text, gap, p))
				return false;
			gap = p;
		}
		was = digit;
	}
	return piece_pass(w, i + 1, text, gap, n);
}

static bool steps_run(const Walk *w, int i, const char *text, size_t n)
{
	if (i == w->s->steps)
		return w->fn(w->ctx, text, n);
	return w->s->step[i].kind == STEP_PATTERN ? pattern_run(w, i, text, n) : digits_run(w, i, text, n);
}

bool split_run(const Split *s, const char *text, size_t n, PieceFn fn, void *ctx, Err *e)
{
	const Walk w = { s, fn, ctx, e };
	if (n == 0)
		return true;
	switch (s->kind) {
	case SPLIT_V3:
		return split_v3(s->classes, text, n, fn, ctx);
	case SPLIT_V2:
		return split_v2(s->classes, text, n, fn, ctx);
	case SPLIT_NONE: case SPLIT_STEPS:
		break;
	}
	return steps_run(&w, 0, text, n);
}

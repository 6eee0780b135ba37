/* glob.c - a pattern is run as a set of positions over the name, so that no pattern, however many stars it
 * has, takes more than (pattern length x name length) steps. */
#include "base/glob.h"
#include <stddef.h>
#include <string.h>

enum { PATTERN_MAX = 512 };

/* Which positions of the pattern the name read so far can have led to; `end` is behind the last character. */
typedef struct Places {
	bool at[PATTERN_MAX + 1];
} Places;

bool glob_valid(const char *pattern)
{
	bool in_brace = false;
	size_t i = 0;
	for (; pattern[i]; i++) {
		char c = pattern[i], before = i ? pattern[i - 1] : '\0';
		if (i >= PATTERN_MAX || (unsigned char)c <= ' ' || c == 0x7f)
			return false;
		if (c == '{') {
			if (in_brace)
				return false;
			in_brace = true;
		} else if (c == '}') {
			if (!in_brace || before == '{' || before == ',')
				return false;
			in_brace = false;
		} else if (c == ',' && in_brace && (before == '{' || before == ',')) {
			return false;
		}
	}
	return i > 0 && !in_brace;
}

static bool stars_at(const char *p, size_t i)
{
	return p[i] == '*' && p[i + 1] == '*';
}

/* Follows the steps that read nothing: into each choice at '{', past the '}' at the end of a choice, and over
 * '**', which may stand for nothing. All of them go forward, so one sweep does. */
static void places_close(Places *s, const char *p, size_t n)
{
	size_t close = n;
	bool in_brace = false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '{') {
			in_brace = true;
			close = (size_t)(strchr(p + i, '}') - p);
			for (size_t k = i; s->at[i] && k < close; k++)
				if (p[k] == '{' || p[k] == ',')
					s->at[k + 1] = true;
		} else if (in_brace && p[i] == ',') {
			/* A place on the comma itself came from the end of a choice; its start is the next position. */
			if (s->at[i])
				s->at[close + 1] = true;
		} else if (p[i] == '}') {
			in_brace = false;
			if (s->at[i])
				s->at[i + 1] = true;
		} else if (s->at[i] && stars_at(p, i)) {
			s->at[i + 2] = true;
		}
	}
}

static void places_read(const Places *from, Places *to, const char *p, size_t n, char c)
{
	bool in_brace = false;
	memset(to, 0, sizeof *to);
	for (size_t i = 0; i < n; i++) {
		bool mark = p[i] == '{' || p[i] == '}' || (p[i] == ',' && in_brace);
		in_brace = p[i] == '{' || (in_brace && p[i] != '}');
		if (!from->at[i] || mark)
			continue;
		if (stars_at(p, i)) {
			to->at[i] = true;
		} else if (p[i] == '*') {
			if (c != '.')
				to->at[i] = to->at[i + 1] = true;
		} else if (p[i] == c) {
			to->at[i + 1] = true;
		}
	}
}

/* Patterns without '**' and braces, which nearly all are: only the last star need be widened, and it stops
 * at a dot. */
static bool simple_match(const char *p, const char *s)
{
	const char *star = NULL, *mark = NULL;
	while (*s) {
		if (*p == '*' && *s != '.') {
			star = ++p;
			mark = ++s;
		} else if (*p == *s && *p != '*') {
			p++;
			s++;
		} else if (star && *mark != '.') {
			p = star;
			s = ++mark;
		} else {
			return false;
		}
	}
	return *p == '\0';
}

bool glob_match(const char *pattern, const char *name)
{
	if (!glob_valid(pattern))
		return false;
	if (!strchr(pattern, '{') && !strstr(pattern, "**"))
		return simple_match(pattern, name);
	Places a = { { true } }, b;
	size_t n = strlen(pattern);
	places_close(&a, pattern, n);
	for (; *name; name++) {
		places_read(&a, &b, pattern, n, *name);
		places_close(&b, pattern, n);
		a = b;
	}
	return a.at[n];
}

/* split_v2.c - the steps of the V2 family. Each step sees the pieces of the one before; a piece carries the
 * union of its characters' flags, so that steps that cannot match in it are passed over. */
#include "text/split.h"

typedef struct Cut { const Classes *c; const char *s; PieceFn fn; void *ctx; } Cut;
typedef bool (*StepFn)(const Cut *k, size_t p, size_t end, unsigned flags);

/* [set]+, or \s?[set]+ with `blank`: matches and the stretches between go on to the next step. */
static bool runs_cut(const Cut *k, size_t p, size_t end, unsigned set, bool blank, StepFn next)
{
	size_t gap = p, len, after;
	unsigned gap_flags = 0;
	while (p < end) {
		unsigned f = class_at(k->c, k->s + p, &len), flags = f;
		size_t q = p + len;
		bool lead = blank && !(f & set) && (f & V2_SPACE) && q < end &&
			(class_at(k->c, k->s + q, &after) & set);
		if (!(f & set) && !lead) {
			gap_flags |= f;
			p = q;
			continue;
		}
		for (unsigned g; q < end && ((g = class_at(k->c, k->s + q, &after)) & set); q += after)
			flags |= g;
		if ((gap < p && !next(k, gap, p, gap_flags)) || !next(k, p, q, flags))
			return false;
		p = gap = q;
		gap_flags = 0;
	}
	return gap == p || next(k, gap, p, gap_flags);
}

/* Digits: each numeric character alone. */
static bool step6(const Cut *k, size_t p, size_t end, unsigned flags)
{
	size_t gap = p, len;
	if (!(flags & V2_NUMBER))
		return k->fn(k->ctx, k->s + p, end - p);
	for (; p < end; p += len) {
		if (!(class_at(k->c, k->s + p, &len) & V2_NUMBER))
			continue;
		if ((gap < p && !k->fn(k->ctx, k->s + gap, p - gap)) || !k->fn(k->ctx, k->s + p, len))
			return false;
		gap = p + len;
	}
	return gap == p || k->fn(k->ctx, k->s + gap, p - gap);
}

/* [U+4E00-U+9FA5 U+0800-U+4E00 U+AC00-U+D7FF]+ */
static bool step5(const Cut *k, size_t p, size_t end, unsigned flags)
{
	return flags & V2_HAN ? runs_cut(k, p, end, V2_HAN, false, step6) : step6(k, p, end, flags);
}

/* \s+$ ; the union of flags is passed on to both parts, which is only ever too much. */
static bool step4(const Cut *k, size_t p, size_t end, unsigned flags)
{
	size_t cut = end, len;
	while ((flags & V2_SPACE) && cut > p) {
		size_t q = cut - 1;
		while (q > p && ((unsigned char)k->s[q] & 0xc0) == 0x80)
			q--;
		if (!(class_at(k->c, k->s + q, &len) & V2_SPACE))
			break;
		cut = q;
	}
	return (cut == p || step5(k, p, cut, flags)) && (cut == end || step5(k, cut, end, flags));
}

/* \s?[punctuation]+ */
static bool step3(const Cut *k, size_t p, size_t end, unsigned flags)
{
	return flags & V2_SIGN ? runs_cut(k, p, end, V2_SIGN, true, step4) : step4(k, p, end, flags);
}

/* \s?[letters]+ */
static bool step2(const Cut *k, size_t p, size_t end)
{
	return runs_cut(k, p, end, V2_LETTER, true, step3);
}

/* [\r\n]: each alone, which no later step can cut. */
bool split_v2(const Classes *c, const char *s, size_t n, PieceFn fn, void *ctx)
{
	const Cut k = { c, s, fn, ctx };
	size_t gap = 0;
	for (size_t p = 0; p < n; p++) {
		if (s[p] != '\n' && s[p] != '\r')
			continue;
		if ((gap < p && !step2(&k, gap, p)) || !fn(ctx, s + p, 1))
			return false;
		gap = p + 1;
	}
	return gap == n || step2(&k, gap, n);
}

/* st_header.c - every rule of the safetensors header (checkpoints.md 4), stricter than the reference
 * library where that lets something doubtful through: duplicate names, unknown fields, a blank before '{',
 * other padding than blanks. */
#include "tensor/st_header.h"
#include "base/arena.h"
#include "tensor/scan.h"
#include <stdlib.h>
#include <string.h>

#define NAME_SHOWN "%.160s"

typedef struct Header { StHeader *h; Scan k; } Header;

static bool entry_fail(const Header *p, int code, const StEntry *t, const char *what)
{
	return err_set(p->k.e, code, "%s: tensor \"" NAME_SHOWN "\": %s", p->k.path, t->name, what);
}

static bool memory_fail(const Header *p)
{
	return err_set(p->k.e, E_5001, "%s: out of memory for the header", p->k.path);
}

static void *array_grow(void *old, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16, bytes;
	if (n < *cap)
		return old;
	void *p = size_mul(more, size, &bytes) ? realloc(old, bytes) : NULL;
	if (p)
		*cap = more;
	return p;
}

static bool dtype_take(Header *p, StEntry *t)
{
	const char *s;
	size_t n;
	if (!scan_string(&p->k, &s, &n))
		return false;
	if (dtype_parse(s, &t->dtype))
		return true;
	return err_set(p->k.e, E_3007, "%s: tensor \"" NAME_SHOWN "\": unknown dtype \"%.40s\"", p->k.path,
		t->name, s);
}

static bool shape_take(Header *p, StEntry *t)
{
	bool first = true, more, fits;
	uint64_t v;
	if (!scan_char(&p->k, '['))
		return false;
	for (;;) {
		if (!scan_more(&p->k, ']', &first, &more))
			return false;
		if (!more)
			return true;
		if (!scan_uint(&p->k, &v, &fits))
			return false;
		if (t->rank == TEN_MAXRANK)
			return entry_fail(p, E_5003, t, "more than 8 dimensions");
		if (!fits || v > INT64_MAX)
			return entry_fail(p, E_3012, t, "shape overflows: a dimension is above 2^63-1");
		t->shape[t->rank++] = (int64_t)v;
	}
}

static bool offsets_take(Header *p, StEntry *t)
{
	bool fits1, fits2;
	if (!(scan_char(&p->k, '[') && scan_uint(&p->k, &t->begin, &fits1) && scan_char(&p->k, ',') &&
	      scan_uint(&p->k, &t->end, &fits2) && scan_char(&p->k, ']')))
		return false;
	if (!fits1 || !fits2)
		return entry_fail(p, E_3010, t, "data_offsets are above 2^64-1");
	if (t->end < t->begin)
		return entry_fail(p, E_3010, t, "data_offsets end before they begin");
	return true;
}

static bool field_take(Header *p, StEntry *t, unsigned *seen)
{
	static const struct { const char *name; bool (*take)(Header *, StEntry *); } field[] = {
		{ "dtype", dtype_take }, { "shape", shape_take }, { "data_offsets", offsets_take },
	};
	const char *s;
	size_t n;
	if (!scan_key(&p->k, &s, &n))
		return false;
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(s, field[i].name) != 0)
			continue;
		if (*seen & 1u << i)
			return entry_fail(p, E_3006, t, "a field is given twice");
		*seen |= 1u << i;
		return field[i].take(p, t);
	}
	return err_set(p->k.e, E_3006,
		"%s: tensor \"" NAME_SHOWN "\": unknown field \"%.40s\"; the format has dtype, shape and "
		"data_offsets",
		p->k.path, t->name, s);
}

static bool entry_take(Header *p, const char *name, size_t n)
{
	StHeader *h = p->h;
	bool first = true, more = true;
	unsigned seen = 0;
	if (n > ST_NAME_MAX)
		return err_set(p->k.e, E_5003, "%s: a tensor name has %zu bytes, the limit is %d", p->k.path,
			n, ST_NAME_MAX);
	if (h->n == ST_TENSORS_MAX)
		return err_set(p->k.e, E_5003, "%s: more than %d tensors", p->k.path, ST_TENSORS_MAX);
	StEntry *grown = array_grow(h->t, h->n, &h->cap, sizeof *grown);
	if (!grown)
		return memory_fail(p);
	h->t = grown;
	StEntry *t = &h->t[h->n];
	*t = (StEntry){ .name = name };
	p->k.tensor = name;
	if (!scan_char(&p->k, '{'))
		return false;
	while (scan_more(&p->k, '}', &first, &more)) {
		if (!more) {
			h->n++;
			p->k.tensor = NULL;
			return seen == 7
				? true
				: entry_fail(p, E_3006, t,
					  seen & 1 ? seen & 2 ? "no data_offsets" : "no shape" : "no dtype");
		}
		if (!field_take(p, t, &seen))
			return false;
	}
	return false;
}

static bool meta_put(Header *p, Map *keys)
{
	StHeader *h = p->h;
	StMeta m;
	size_t n, nv;
	bool had;
	if (!scan_key(&p->k, &m.key, &n) || !scan_string(&p->k, &m.value, &nv))
		return false;
	if (!map_put(keys, m.key, n, 0, &had))
		return memory_fail(p);
	if (had)
		return err_set(p->k.e, E_3005, "%s: __metadata__ has \"%.80s\" twice", p->k.path, m.key);
	StMeta *grown = array_grow(h->meta, h->n_meta, &h->cap_meta, sizeof *grown);
	if (!grown)
		return memory_fail(p);
	h->meta = grown;
	h->meta[h->n_meta++] = m;
	return true;
}

static bool meta_take(Header *p)
{
	bool first = true, more = true, ok = true;
	Map *keys = map_new(8);
	if (!keys)
		return memory_fail(p);
	ok = scan_char(&p->k, '{');
	while (ok && more) {
		ok = scan_more(&p->k, '}', &first, &more);
		if (ok && more)
			ok = meta_put(p, keys);
	}
	map_free(keys);
	return ok;
}

static bool root_take(Header *p)
{
	bool first = true, more = true, meta = false;
	const char *s;
	size_t n;
	if (p->k.n == 0 || p->k.s[0] != '{')
		return scan_fail(&p->k, "a header begins with {");
	p->k.at = 1;
	for (;;) {
		if (!scan_more(&p->k, '}', &first, &more))
			return false;
		if (!more)
			return scan_end(&p->k, ' ');
		if (!scan_key(&p->k, &s, &n))
			return false;
		if (strcmp(s, "__metadata__") != 0) {
			if (!entry_take(p, s, n))
				return false;
			continue;
		}
		if (meta)
			return err_set(p->k.e, E_3005, "%s: __metadata__ is there twice", p->k.path);
		meta = true;
		if (!meta_take(p))
			return false;
	}
}

/* By place; tensors without bytes come before the one that begins where they stand. */
static int entry_order(const void *a, const void *b)
{
	const StEntry *x = a, *y = b;
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name; /* order of the text */
}

static void entries_sort(StHeader *h)
{
	for (size_t i = 1; i < h->n; i++)
		if (entry_order(&h->t[i - 1], &h->t[i]) > 0) {
			qsort(h->t, h->n, sizeof *h->t, entry_order);
			return;
		}
}

static bool names_map(Header *p)
{
	StHeader *h = p->h;
	h->names = map_new(h->n);
	if (!h->names)
		return memory_fail(p);
	for (size_t i = 0; i < h->n; i++) {
		bool had;
		if (!map_put(h->names, h->t[i].name, strlen(h->t[i].name), (int64_t)i, &had))
			return memory_fail(p);
		if (had)
			return entry_fail(p, E_3005, &h->t[i], "the name is there twice");
	}
	return true;
}

bool st_entry_bytes(const StEntry *t, uint64_t *bytes, bool *whole)
{
	uint64_t count = 1, unit = dtype_bits(t->dtype);
	bool empty = false;
	for (int i = 0; i < t->rank; i++) {
		uint64_t d = (uint64_t)t->shape[i];
		empty = empty || d == 0;
		/* the dimensions other than 0 must fit even then: rows and columns are multiplied elsewhere */
		if (d && count > INT64_MAX / unit / d)
			return false;
		count *= d ? d : 1;
	}
	*bytes = empty ? 0 : count * unit / 8;
	*whole = empty || count * unit % 8 == 0;
	return true;
}

static bool entry_check(const Header *p, const StEntry *t, uint64_t expected)
{
	uint64_t bytes;
	bool whole;
	if (t->begin != expected)
		return err_set(p->k.e, E_3010,
			"%s: tensor \"" NAME_SHOWN
			"\": begins at byte %llu, must begin at %llu where the one "
			"before ends",
			p->k.path, t->name, (unsigned long long)t->begin, (unsigned long long)expected);
	if (!st_entry_bytes(t, &bytes, &whole))
		return entry_fail(p, E_3012, t, "shape overflows");
	if (!whole)
		return entry_fail(p, E_3011, t, "its elements do not fill whole bytes");
	if (bytes != t->end - t->begin)
		return err_set(p->k.e, E_3011,
			"%s: tensor \"" NAME_SHOWN "\": dtype and shape make %llu bytes, data_offsets %llu",
			p->k.path, t->name, (unsigned long long)bytes,
			(unsigned long long)(t->end - t->begin));
	return true;
}

static bool layout_check(const Header *p, uint64_t data_bytes)
{
	uint64_t at = 0;
	for (size_t i = 0; i < p->h->n; i++) {
		if (!entry_check(p, &p->h->t[i], at))
			return false;
		at = p->h->t[i].end;
	}
	if (at != data_bytes)
		return err_set(p->k.e, E_3013,
			"%s: the tensors take %llu bytes, the file holds %llu; it is cut or has something "
			"behind its end",
			p->k.path, (unsigned long long)at, (unsigned long long)data_bytes);
	return true;
}

bool st_header_parse(StHeader *h, char *s, size_t n, uint64_t data_bytes, const char *path, Err *e)
{
	Header p = { h, { .s = s, .n = n, .path = path, .code = E_3003, .e = e } };
	*h = (StHeader){ 0 };
	/* a guess at the number of tensors, so that a large header does not move its entries again and again */
	size_t guess = n / 128 + 16;
	h->t = malloc(guess * sizeof *h->t);
	h->cap = h->t ? guess : 0;
	bool ok = root_take(&p);
	if (ok) {
		entries_sort(h);
		ok = names_map(&p) && layout_check(&p, data_bytes);
	}
	if (!ok)
		st_header_done(h);
	return ok;
}

void st_header_done(StHeader *h)
{
	free(h->t);
	free(h->meta);
	map_free(h->names);
	*h = (StHeader){ 0 };
}

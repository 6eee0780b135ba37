/* verify_fp8.c - see verify_fp8.h. The file's metadata says its kind; the tensors of a case share the first part of their names, and each
 * result that the file holds is computed from the case's inputs and compared bit by bit. Nothing about shapes is believed unread. */
#include "engine/verify_fp8.h"
#include "base/json.h"
#include "num/fp8_gemm.h"
#include "num/fp8_stats.h"
#include "tensor/st.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Check {
	St *st;
	Pool *pool;
	json_t *recipes;
	Cases *out;
	Err *e;
} Check;

/* A tensor's numbers: codes, or floats of any stored type. Freed by array_done. */
typedef struct Array { const char *name; int64_t rows, cols, n; const uint8_t *u8; real *v; } Array;

static void array_done(Array *a)
{
	free(a->v);
	*a = (Array){ 0 };
}

static bool fault(const Check *k, const char *name, const char *what)
{
	return err_set(k->e, E_3202, "%s: \"%.140s\" %s", st_path(k->st), name, what);
}

/* Reads `name`: codes as they are, anything else as numbers. Of a rank below 2 it is one row. */
static bool array_read(const Check *k, const char *name, bool codes, Array *a)
{
	const StEntry *t = st_find(k->st, name);
	*a = (Array){ .name = name, .rows = 1, .cols = 1 };
	if (!t)
		return fault(k, name, "is missing");
	if (t->rank > 2 || codes != (t->dtype == DT_U8) || dtype_bits(t->dtype) % 8)
		return fault(k, name, codes ? "is not U8 of at most two dimensions" : "is not numbers of at most two dimensions");
	if (t->rank == 2)
		a->rows = t->shape[0];
	if (t->rank)
		a->cols = t->shape[t->rank - 1];
	a->n = a->rows * a->cols;
	const void *p = st_data(k->st, t, k->e);
	if (!p || a->n == 0)
		return p ? fault(k, name, "is empty") : false;
	a->u8 = codes ? p : NULL;
	if (codes)
		return true;
	a->v = malloc(sizeof *a->v * (size_t)a->n);
	if (!a->v)
		return err_set(k->e, E_5001, "out of memory for \"%.140s\"", name);
	dtype_to_real(t->dtype, p, (size_t)a->n, a->v);
	return true;
}

/* PREFIX.WHAT, when the file has it. */
static bool part_name(const Check *k, char out[300], const char *prefix, const char *what)
{
	int n = snprintf(out, 300, "%s.%s", prefix, what);
	return n > 0 && n < 300 && st_find(k->st, out);
}

/* --- comparing --- */

static bool same_number(double a, double b)
{
	return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

static void case_off(Case *c, int64_t i, double own, double want)
{
	double d = fabs(own - want);
	if (c->ok)
		snprintf(c->at, sizeof c->at, "[%lld] %.9g, stored %.9g", (long long)i, own, want);
	c->ok = false;
	c->max_abs = d > c->max_abs || isnan(d) ? d : c->max_abs;
	if (want != 0 && d / fabs(want) > c->max_rel)
		c->max_rel = d / fabs(want);
}

static bool case_end(const Check *k, const Case *c)
{
	k->out->ok &= c->ok;
	return true;
}

/* Numbers that must be equal in every bit; NaN equals NaN. */
static bool case_values(const Check *k, const char *name, const real *own, const Array *want)
{
	Case *c = cases_add(k->out, name, k->e);
	if (!c)
		return false;
	for (int64_t i = 0; i < want->n; i++)
		if (!same_number((double)own[i], (double)want->v[i]))
			case_off(c, i, (double)own[i], (double)want->v[i]);
	return case_end(k, c);
}

static bool case_codes(const Check *k, const char *name, const uint8_t *own, const uint8_t *want, int64_t n)
{
	Case *c = cases_add(k->out, name, k->e);
	if (!c)
		return false;
	for (int64_t i = 0; i < n; i++)
		if (own[i] != want[i])
			case_off(c, i, own[i], want[i]);
	return case_end(k, c);
}

static bool sizes_agree(const Check *k, const Array *a, const Array *b)
{
	return a->n == b->n || fault(k, b->name, "has another number of elements than its input");
}

/* --- decode --- */

/* The format that a name begins with ("e4m3fn.codes", "e2m1fn_packed"): up to the first '.' or '_'. */
static bool format_of(const char *name, FpId *f)
{
	char word[32];
	size_t n = strcspn(name, "._");
	snprintf(word, sizeof word, "%.*s", (int)(n < 31 ? n : 31), name);
	return fp_format_find(strcmp(word, "ue8m0") == 0 ? "e8m0fnu" : word, f);
}

static bool decode_one(const Check *k, const char *prefix, const Array *codes)
{
	char name[300];
	Array want;
	FpId f;
	bool packed = strlen(prefix) > 7 && strcmp(prefix + strlen(prefix) - 7, "_packed") == 0;
	if (!format_of(prefix, &f))
		return fault(k, prefix, "is not a format that this version knows");
	if (!part_name(k, name, prefix, "values") || !array_read(k, name, false, &want))
		return fault(k, prefix, "has codes but no values");
	real *own = malloc(sizeof *own * (size_t)want.n);
	bool ok = (own || err_set(k->e, E_5001, "out of memory")) &&
		(want.n == (packed ? 2 : 1) * codes->n || fault(k, name, "does not fit its codes"));
	for (int64_t i = 0; ok && i < codes->n; i++) {
		if (packed)
			own[2 * i + 1] = (real)fp_decode(f, codes->u8[i] >> 4);
		own[(packed ? 2 : 1) * i] = (real)fp_decode(f, packed ? codes->u8[i] & 15 : codes->u8[i]);
	}
	ok = ok && case_values(k, prefix, own, &want);
	free(own);
	array_done(&want);
	return ok;
}

/* Calls fn for each tensor whose name ends in END, with what stands before it. */
static bool each_ending(Check *k, const char *end, bool codes, bool (*fn)(const Check *, const char *, const Array *))
{
	const size_t n = strlen(end);
	for (size_t i = 0; i < st_count(k->st); i++) {
		const char *name = st_at(k->st, i)->name;
		size_t len = strlen(name);
		if (len <= n || len > 250 || strcmp(name + len - n, end) != 0)
			continue;
		char prefix[256];
		Array a;
		snprintf(prefix, sizeof prefix, "%.*s", (int)(len - n), name);
		bool ok = array_read(k, name, codes, &a) && fn(k, prefix, &a);
		array_done(&a);
		if (!ok)
			return false;
	}
	return true;
}

static bool check_decode(Check *k)
{
	return each_ending(k, ".codes", true, decode_one);
}

/* --- encode --- */

/* Codes of x under FMT or FMT_sat; NaN may have any of the format's codes for it. */
static bool encode_column(const Check *k, const char *name, const char *format, const real *x, int64_t n, const Array *u8, const Array *u16)
{
	FpId f;
	Case *c = cases_add(k->out, name, k->e);
	size_t len = strlen(format);
	bool sat = len > 4 && strcmp(format + len - 4, "_sat") == 0;
	if (!c || !format_of(format, &f))
		return c ? fault(k, name, "is not of a format that this version knows") : false;
	for (int64_t i = 0; i < n; i++) {
		uint32_t own = fp_encode(f, (float)x[i], sat), want = u8 ? u8->u8[i] : (uint32_t)u16->v[i];
		bool nan = x[i] != x[i];
		if (nan ? fp_format(f)->top != FP_TOP_NUMBER && !(isnan(fp_decode(f, own)) && isnan(fp_decode(f, want))) : own != want)
			case_off(c, i, own, want);
	}
	return case_end(k, c);
}

/* One column of codes: bytes, or 16-bit patterns. */
static bool encode_named(const Check *k, const char *name, const char *format, const real *x, int64_t n)
{
	const StEntry *t = st_find(k->st, name);
	Array a;
	bool codes = t && t->dtype == DT_U8;
	bool ok = (codes || (t && t->dtype == DT_U16) || fault(k, name, "is not U8 or U16")) && array_read(k, name, codes, &a);
	if (ok) {
		ok = (a.n == n || fault(k, name, "has another number of elements than x")) &&
			encode_column(k, name, format, x, n, codes ? &a : NULL, codes ? NULL : &a);
		array_done(&a);
	}
	return ok;
}

static bool check_encode(Check *k)
{
	Array x = { 0 }, up = { 0 };
	bool ok = array_read(k, "x", false, &x);
	for (size_t i = 0; ok && i < st_count(k->st); i++) {
		const char *name = st_at(k->st, i)->name;
		if (strcmp(name, "x") != 0 && strchr(name, '.') == NULL)
			ok = encode_named(k, name, name, x.v, x.n);
	}
	if (ok && st_find(k->st, "ue8m0_up.x"))
		ok = array_read(k, "ue8m0_up.x", false, &up) && encode_named(k, "ue8m0_up.codes", "e8m0fnu", up.v, up.n);
	array_done(&x);
	array_done(&up);
	return ok;
}

/* SRC.FMT: the codes of all 65536 patterns of SRC. */
static bool check_table(Check *k)
{
	enum { ALL = 65536 };
	real *x = malloc(sizeof *x * ALL);
	bool ok = x || err_set(k->e, E_5001, "out of memory");
	for (size_t i = 0; ok && i < st_count(k->st); i++) {
		const char *name = st_at(k->st, i)->name, *dot = strchr(name, '.');
		FpId src;
		if (!dot || !format_of(name, &src) || fp_format(src)->bits != 16)
			ok = fault(k, name, "is not named SOURCE.FORMAT");
		for (uint32_t u = 0; ok && u < ALL; u++)
			x[u] = (real)fp_decode(src, u);
		ok = ok && encode_named(k, name, dot + 1, x, ALL);
	}
	free(x);
	return ok;
}

/* --- quantised matrices --- */

static bool recipe_read(const Check *k, const json_t *r, const char *name, FpQuant *q)
{
	static const char *const scales[] = { [FP_SCALE_F32] = "f32", [FP_SCALE_POW2] = "pow2", [FP_SCALE_MX] = "mx" };
	const json_t *g = json_object_get(r, "group");
	const char *format = json_string_value(json_object_get(r, "format")), *scale = json_string_value(json_object_get(r, "scale"));
	json_int_t rows = json_integer_value(json_array_get(g, 0)), cols = json_integer_value(json_array_get(g, 1));
	*q = (FpQuant){ .rows = (int)rows, .cols = (int)cols, .floor = (float)json_number_value(json_object_get(r, "floor")), .scale = FP_SCALE_GIVEN };
	for (int i = 0; scale && i < 3; i++)
		if (strcmp(scale, scales[i]) == 0)
			q->scale = (FpScale)i;
	bool ok = format && fp_format_find(format, &q->format) && fp_format(q->format)->bits <= 8 && fp_format(q->format)->top != FP_TOP_ZERO &&
		q->format != FP_E8M0 && q->scale != FP_SCALE_GIVEN && rows >= 0 && cols >= 0 && rows < 1 << 24 && cols < 1 << 24;
	return ok || fault(k, name, "is a recipe that this version does not know");
}

static bool stats_compare(const Check *k, const char *name, const FpStats *s)
{
	static const char *const columns[] = { "relative L2", "max abs", "SQNR", "underflow", "subnormal", "above max", "changed by clamp" };
	const double own[] = { s->rel_l2, s->max_abs, s->sqnr_db, s->underflow, s->subnormal, s->above, s->clamped };
	Array want;
	if (!array_read(k, name, false, &want))
		return false;
	const void *p = st_data(k->st, st_find(k->st, name), k->e);
	bool ok = (want.n == 7 && st_find(k->st, name)->dtype == DT_F64) || fault(k, name, "is not seven numbers of F64");
	Case *c = ok ? cases_add(k->out, name, k->e) : NULL;
	for (int i = 0; c && i < 7; i++) {
		double w;
		memcpy(&w, (const char *)p + i * 8, 8);
		if (own[i] == w || fabs(own[i] - w) <= 1e-9 * fabs(w))
			continue;
		case_off(c, i, own[i], w);
		snprintf(c->at, sizeof c->at, "%s: %.12g, stored %.12g", columns[i], own[i], w);
	}
	array_done(&want);
	return c && case_end(k, c);
}

typedef struct Matrix { const char *prefix; const Array *x; FpQuant q; uint8_t *code; real *y; float *scale; int64_t n_scales; } Matrix;

static bool matrix_init(const Check *k, Matrix *m)
{
	FpGroups g = fp_groups(&m->q, m->x->rows, m->x->cols);
	m->n_scales = g.n_rows * g.n_cols;
	m->code = malloc((size_t)m->x->n);
	m->y = malloc(sizeof *m->y * (size_t)m->x->n);
	m->scale = malloc(sizeof *m->scale * (size_t)m->n_scales);
	return (m->code && m->y && m->scale) || err_set(k->e, E_5001, "out of memory for \"%.140s\"", m->prefix);
}

static void matrix_done(Matrix *m)
{
	free(m->code);
	free(m->y);
	free(m->scale);
}

static bool scales_compare(const Check *k, const char *name, const Matrix *m)
{
	Array want;
	real *own = malloc(sizeof *own * (size_t)m->n_scales);
	bool ok = own && array_read(k, name, false, &want);
	if (ok) {
		for (int64_t i = 0; i < m->n_scales; i++)
			own[i] = (real)m->scale[i];
		ok = (want.n == m->n_scales || fault(k, name, "has another number of scales than its groups are")) &&
			case_values(k, name, own, &want);
		array_done(&want);
	}
	free(own);
	return ok;
}

/* What the file holds of x under one recipe, compared with what it becomes here. */
static bool matrix_compare(const Check *k, Matrix *m, const Array *codes)
{
	char name[300];
	Array want;
	const Array *x = m->x;
	FpOut out = { m->code, x->cols, m->y, x->cols, m->scale };
	fp_quantise(k->pool, &m->q, x->rows, x->cols, x->v, x->cols, &out);
	bool ok = case_codes(k, codes->name, m->code, codes->u8, x->n);
	if (ok && part_name(k, name, m->prefix, "scale"))
		ok = scales_compare(k, name, m);
	if (ok && part_name(k, name, m->prefix, "deq") && array_read(k, name, false, &want)) {
		ok = sizes_agree(k, x, &want) && case_values(k, name, m->y, &want);
		array_done(&want);
	}
	if (ok && part_name(k, name, m->prefix, "stats")) {
		FpSums s = { 0 };
		fp_sums_add(&s, &m->q, x->rows, x->cols, x->v, x->cols, m->scale);
		FpStats st = fp_stats(&s);
		ok = stats_compare(k, name, &st);
	}
	return ok;
}

/* Codes and scales of another writer in 128x128 blocks: a reader must get x back as near as e4m3 can hold it. */
static bool foreign_compare(const Check *k, Matrix *m, const Array *codes)
{
	char name[300];
	Array scale;
	FpSums s = { 0 };
	const Array *x = m->x;
	FpGroups g = fp_groups(&m->q, x->rows, x->cols);
	if (!part_name(k, name, m->prefix, "scale") || !array_read(k, name, false, &scale))
		return fault(k, m->prefix, "has codes but no scales");
	bool ok = scale.n == m->n_scales || fault(k, name, "is not one scale for each 128x128 block");
	for (int64_t i = 0; ok && i < scale.n; i++)
		m->scale[i] = (float)scale.v[i];
	array_done(&scale);
	Case *c = ok ? cases_add(k->out, codes->name, k->e) : NULL;
	if (!c)
		return false;
	fp_expand(FP_E4M3, &g, x->rows, x->cols, codes->u8, x->cols, m->scale, m->y, x->cols);
	fp_sums_compare(&s, x->rows, x->cols, x->v, x->cols, m->y, x->cols);
	FpStats st = fp_stats(&s);
	c->max_abs = st.max_abs;
	c->max_rel = st.rel_l2;
	c->ok = st.rel_l2 < 0.04; /* uniform data within a block come to 0.025 (fp8.md 2.4) */
	return case_end(k, c);
}

/* CASE.RECIPE.codes with CASE.x. */
static bool quant_one(const Check *k, const char *prefix, const Array *codes)
{
	char name[300];
	Array x = { 0 };
	const char *recipe = strrchr(prefix, '.');
	if (!recipe)
		return fault(k, prefix, "is not named CASE.RECIPE");
	snprintf(name, sizeof name, "%.*s.x", (int)(recipe - prefix), prefix);
	Matrix m = { .prefix = prefix, .x = &x, .q = { FP_E4M3, 128, 128, FP_SCALE_F32, 0 } };
	const json_t *r = json_object_get(k->recipes, recipe + 1);
	bool ok = array_read(k, name, false, &x) && sizes_agree(k, &x, codes) && (!r || recipe_read(k, r, recipe + 1, &m.q)) && matrix_init(k, &m);
	ok = ok && (r ? matrix_compare(k, &m, codes) : foreign_compare(k, &m, codes));
	matrix_done(&m);
	array_done(&x);
	return ok;
}

static bool check_quant(Check *k)
{
	const char *text = st_meta(k->st, "recipes");
	k->recipes = text ? json_parse(text, strlen(text), "metadata \"recipes\"", E_3202, k->e) : NULL;
	bool ok = (k->recipes || (text ? false : fault(k, "recipes", "is missing from the metadata"))) && each_ending(k, ".codes", true, quant_one);
	json_decref(k->recipes);
	return ok;
}

/* --- MX and NVFP4 --- */

/* Two codes to a byte, the low half first. */
static bool packed_compare(const Check *k, const char *prefix, const Array *codes)
{
	char name[300];
	Array packed;
	if (!part_name(k, name, prefix, "packed"))
		return true;
	if (!array_read(k, name, true, &packed) || packed.n * 2 != codes->n)
		return fault(k, name, "is not half as many bytes as there are codes");
	uint8_t *own = malloc((size_t)codes->n);
	for (int64_t i = 0; own && i < codes->n; i++)
		own[i] = packed.u8[i / 2] >> (i % 2 ? 4 : 0) & 15;
	bool ok = own ? case_codes(k, name, codes->u8, own, codes->n) : err_set(k->e, E_5001, "out of memory");
	free(own);
	return ok;
}

/* The scales as the codes that MX stores. */
static bool mx_scales(const Check *k, const Matrix *m)
{
	char name[300];
	Array want;
	if (!part_name(k, name, m->prefix, "scale_codes") || !array_read(k, name, true, &want) || want.n != m->n_scales)
		return fault(k, m->prefix, "has no scale codes for its groups");
	uint8_t *own = malloc((size_t)want.n);
	for (int64_t i = 0; own && i < want.n; i++)
		own[i] = (uint8_t)fp_encode(FP_E8M0, m->scale[i], true);
	bool ok = own ? case_codes(k, name, own, want.u8, want.n) : err_set(k->e, E_5001, "out of memory");
	free(own);
	return ok;
}

/* NVFP4's decoder is fixed, encoders differ: codes and scales are the file's. */
static bool nv_compare(const Check *k, Matrix *m, const Array *codes)
{
	char name[300];
	Array whole = { 0 }, scale = { 0 }, want = { 0 };
	FpGroups g = fp_groups(&m->q, m->x->rows, m->x->cols);
	bool ok = (part_name(k, name, m->prefix, "tensor_scale") && array_read(k, name, false, &whole)) || fault(k, m->prefix, "has no tensor_scale");
	ok = ok && ((part_name(k, name, m->prefix, "scale_codes") && array_read(k, name, true, &scale) && scale.n == m->n_scales) ||
		fault(k, m->prefix, "has no scale codes for its groups"));
	ok = ok && ((part_name(k, name, m->prefix, "deq") && array_read(k, name, false, &want) && want.n == m->x->n) ||
		fault(k, m->prefix, "has no values (deq)"));
	for (int64_t i = 0; ok && i < scale.n; i++)
		m->scale[i] = fp_decode(FP_E4M3, scale.u8[i]) * (float)whole.v[0];
	if (ok)
		fp_expand(m->q.format, &g, m->x->rows, m->x->cols, codes->u8, m->x->cols, m->scale, m->y, m->x->cols);
	ok = ok && case_values(k, name, m->y, &want);
	array_done(&whole);
	array_done(&want);
	return ok;
}

static bool mx_one(const Check *k, const char *prefix, const Array *codes)
{
	char name[300];
	Array x = { 0 };
	bool nv = strncmp(prefix, "nvfp4", 5) == 0;
	Matrix m = { .prefix = prefix, .x = &x, .q = { FP_E2M1, 1, nv ? 16 : 32, nv ? FP_SCALE_NV : FP_SCALE_MX, 0 } };
	if (!nv && (strncmp(prefix, "mx_", 3) != 0 || !format_of(prefix + 3, &m.q.format) || fp_format(m.q.format)->bits > 8 ||
		fp_format(m.q.format)->top == FP_TOP_ZERO))
		return fault(k, prefix, "is not mx_FORMAT or nvfp4");
	bool ok = part_name(k, name, prefix, "x") && array_read(k, name, false, &x) && sizes_agree(k, &x, codes) && matrix_init(k, &m);
	ok = ok && (nv ? nv_compare(k, &m, codes) : matrix_compare(k, &m, codes) && mx_scales(k, &m));
	ok = ok && packed_compare(k, prefix, codes);
	matrix_done(&m);
	array_done(&x);
	return ok || k->e->code ? ok : fault(k, prefix, "has no x");
}

static bool check_mx(Check *k)
{
	return each_ending(k, ".codes", true, mx_one);
}

/* --- dot products --- */

typedef struct Dot { const Check *k; const char *prefix; const Array *a, *b; } Dot;

static float dot_of(const Dot *d, int every, const float *scale)
{
	FpMat a = { d->a->u8, FP_E4M3, 1, d->a->n, d->a->n, 1, scale, 0, scale ? 128 : 0, 0, 1 }, b = a;
	FpAccum acc = { 13, every };
	real y;
	b.code = d->b->u8;
	b.scale = NULL;
	b.group_k = 0;
	fp_gemm(d->k->pool, &a, &b, &acc, &y, 1, false);
	return (float)y;
}

static bool dot_value(const Dot *d, const char *name, float own)
{
	Array want;
	real v = (real)own;
	bool ok = array_read(d->k, name, false, &want);
	ok = ok && (want.n == 1 || fault(d->k, name, "is not one number")) && case_values(d->k, name, &v, &want);
	array_done(&want);
	return ok;
}

/* Sums of 128 products each, without scales. */
static bool dot_parts(const Dot *d, float **parts, int64_t *n)
{
	char name[300];
	Array want;
	*n = (d->a->n + 127) / 128;
	*parts = malloc(sizeof **parts * (size_t)*n);
	real *own = malloc(sizeof *own * (size_t)*n);
	for (int64_t i = 0; *parts && own && i < *n; i++) {
		int64_t at = i * 128, len = d->a->n - at < 128 ? d->a->n - at : 128;
		(*parts)[i] = fp_mma_chain(FP_E4M3, d->a->u8 + at, 1, FP_E4M3, d->b->u8 + at, 1, len, 13, 0);
		own[i] = (real)(*parts)[i];
	}
	bool ok = (*parts && own) || err_set(d->k->e, E_5001, "out of memory");
	if (ok && part_name(d->k, name, d->prefix, "parts128") && array_read(d->k, name, false, &want)) {
		ok = (want.n == *n || fault(d->k, name, "is not one sum for each 128 products")) && case_values(d->k, name, own, &want);
		array_done(&want);
	}
	free(own);
	return ok;
}

/* The scales of each part: scale_pow2, or fl(scale_a * scale_b). NULL: not there, or an error. */
static float *dot_scales(const Dot *d, bool pow2, int64_t n)
{
	char name[300];
	Array s[2] = { { 0 }, { 0 } };
	const char *const names[] = { pow2 ? "scale_pow2" : "scale_a", "scale_b" };
	bool ok = true;
	for (int i = 0; ok && i < (pow2 ? 1 : 2); i++)
		ok = part_name(d->k, name, d->prefix, names[i]) && array_read(d->k, name, false, &s[i]) &&
			(s[i].n == n || fault(d->k, name, "is not one scale for each 128 products"));
	float *out = ok ? malloc(sizeof *out * (size_t)n) : NULL;
	for (int64_t i = 0; out && i < n; i++)
		out[i] = pow2 ? (float)s[0].v[i] : (float)s[0].v[i] * (float)s[1].v[i];
	array_done(&s[0]);
	array_done(&s[1]);
	return out;
}

/* Results with scales: through the product of matrices (two roundings), and with one rounding from the parts. */
static bool dot_scaled(const Dot *d, const float *parts, int64_t n)
{
	char name[300];
	bool ok = true;
	for (int pow2 = 0; ok && pow2 < 2; pow2++) {
		float *s = dot_scales(d, pow2, n), fused = 0;
		for (int64_t i = 0; s && i < n; i++)
			fused = fmaf(parts[i], s[i], fused);
		if (s && part_name(d->k, name, d->prefix, pow2 ? "p128_scaled_pow2" : "p128_scaled_muladd"))
			ok = dot_value(d, name, dot_of(d, 128, s));
		if (ok && s && !pow2 && part_name(d->k, name, d->prefix, "p128_scaled_fma"))
			ok = dot_value(d, name, fused);
		free(s);
	}
	return ok && !d->k->e->code;
}

/* exact, tc, and pN for every N. */
static bool dot_plain(const Dot *d)
{
	char name[300], what[32];
	bool ok = true;
	if (part_name(d->k, name, d->prefix, "exact")) {
		double sum = 0;
		for (int64_t i = 0; i < d->a->n; i++)
			sum += (double)fp_decode(FP_E4M3, d->a->u8[i]) * (double)fp_decode(FP_E4M3, d->b->u8[i]);
		ok = dot_value(d, name, (float)sum);
	}
	if (ok && part_name(d->k, name, d->prefix, "tc"))
		ok = dot_value(d, name, dot_of(d, 0, NULL));
	for (int every = 32; ok && every <= 65536; every += 32) {
		snprintf(what, sizeof what, "p%d", every);
		if (part_name(d->k, name, d->prefix, what))
			ok = dot_value(d, name, dot_of(d, every, NULL));
	}
	return ok;
}

static bool dot_one(const Check *k, const char *prefix, const Array *a)
{
	char name[300];
	Array b;
	float *parts = NULL;
	int64_t n;
	if (!part_name(k, name, prefix, "b") || !array_read(k, name, true, &b))
		return fault(k, prefix, "has a but no b");
	Dot d = { k, prefix, a, &b };
	bool ok = sizes_agree(k, a, &b) && dot_plain(&d) && dot_parts(&d, &parts, &n) && dot_scaled(&d, parts, n);
	free(parts);
	return ok;
}

static bool check_dot(Check *k)
{
	return each_ending(k, ".a", true, dot_one);
}

/* --- all --- */

bool verify_fp8(const char *path, int threads, Cases *out, Err *e)
{
	static const struct { const char *kind; bool (*check)(Check *); } kinds[] = { { "decode", check_decode }, { "encode", check_encode },
		{ "encode-table", check_table }, { "quant", check_quant }, { "mx", check_mx }, { "dot", check_dot } };
	Check k = { .out = out, .e = e, .st = st_open(path, e) };
	*out = (Cases){ .ok = true };
	if (!k.st)
		return false;
	const char *format = st_meta(k.st, "format"), *kind = st_meta(k.st, "kind"), *source = st_meta(k.st, "source");
	bool ok = (format && strcmp(format, "lathe-fp8-1") == 0) || fault(&k, "format", "in the metadata is not lathe-fp8-1"), known = false;
	snprintf(out->source, sizeof out->source, "%s", source ? source : "");
	k.pool = pool_new(threads > 0 ? threads : 1);
	ok = ok && (k.pool || err_set(e, E_5001, "could not start the threads"));
	for (size_t i = 0; ok && i < sizeof kinds / sizeof kinds[0]; i++)
		if (kind && strcmp(kind, kinds[i].kind) == 0) {
			known = true;
			ok = kinds[i].check(&k);
		}
	ok = ok && (known || fault(&k, "kind", "in the metadata is not one that this version knows"));
	ok = ok && (out->n > 0 || fault(&k, "kind", "names cases, but there are none"));
	pool_free(k.pool);
	st_close(k.st);
	return ok;
}

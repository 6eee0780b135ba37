/* precision.h - one model on one text under several precision recipes, each against the same model as stored (f32 activations) and against
 * bf16: how far its predictions go apart, where the error arises, and what becomes zero or is clamped on the way. */
#ifndef ENGINE_PRECISION_H
#define ENGINE_PRECISION_H
#include "base/err.h"
#include "engine/lathe.h"
#include "num/fp8_stats.h"

/* A product of one weight (or of all experts of a layer) by itself: the same input, with and without quantising. */
typedef struct PrecisionProduct { char name[96]; FpStats result, input, weight; } PrecisionProduct;
/* A value of a layer against the run as stored: what has gathered up to there. underflow, overflow: the worst of the operands of the products
 * that go into it; 0 where nothing is quantised. */
typedef struct PrecisionLayer { char name[96]; double rel_l2, sqnr_db, underflow, overflow; } PrecisionLayer;
typedef struct PrecisionFormat {
	const char *name, *about;
	double kl, kl_bf16;           /* nat a token: KL(as stored || this), KL(bf16 || this) */
	double top1_agree, ppl;       /* with the run as stored; of the text, NAN for a single token */
	int64_t routes, routes_flipped;
	int n_layers, n_products;
	PrecisionLayer *layer;
	PrecisionProduct *product;
} PrecisionFormat;
typedef struct PrecisionReport { int n; PrecisionFormat *format; } PrecisionReport;

/* names: recipes, NULL-terminated; NULL: all. The first two formats are always f32 and bf16. */
bool precision_run(LatheModel *m, const int32_t *ids, size_t n, const char *const *names, PrecisionReport *out, Err *e);
void precision_done(PrecisionReport *r);
#endif

/* lm_build.h - one description of which tensor goes where, used by the loader (get = the file) and by
 * random models (get = numbers). */
#ifndef MODEL_LM_BUILD_H
#define MODEL_LM_BUILD_H
#include "model/lm.h"
typedef struct Build Build;
struct Build {
	Lm *m;
	/* The tensor `name` of this shape, or NULL: absent (optional) or failed. */
	Ten *(*get)(Build *b, const char *name, int rank, const int64_t *shape, bool optional);
	bool failed;
	const LmParts *parts;
	/* of a part from outside, while get is called for it; else NULL */
	const PartWeight *part;
	Dtype dtype;
	uint64_t seed;
	Err *e;
};
/* Fills blocks, norms, head, MTP of b->m from b->m->c. */
bool build_model(Build *b, const LmOptions *o);
/* Keeps x in the model's arena; as real numbers when as_real (norms, biases). */
Ten *build_keep(Build *b, const Ten *x, bool as_real);
#endif

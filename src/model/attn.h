/* attn.h - between the kinds of attention, for mla.c and attn_own.c only. */
#ifndef MODEL_ATTN_H
#define MODEL_ATTN_H
#include "model/lm.h"

/* Where the keys of each sequence lie: in the cache store, or in the rows of this forward. In the step arena. */
Seq *attn_seqs(Tape *t, const Run *r);
/* The cached rows that the sequences look at, end to end, as real. */
Ten *attn_gather(Tape *t, const Run *r, int layer, int which, const Seq *seq);
Ten *attn_own(Tape *t, const Run *r, const Attn *a, int layer, Ten *h);
#endif

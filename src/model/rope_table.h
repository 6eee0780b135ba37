/* rope_table.h - the numbers behind rotary positions that follow from a config alone: plain or YaRN. The
 * tables themselves are made by lm_rope_reserve (lm.h). */
#ifndef MODEL_ROPE_TABLE_H
#define MODEL_ROPE_TABLE_H
#include "model/config.h"
/* Fills inv_freq[qk_rope_head_dim / 2], radians per position. */
void rope_frequencies(const Config *c, float *inv_freq);
/* What attention logits are multiplied with: (d_n + d_r)^-0.5, times YaRN's mscale squared. */
double rope_softmax_scale(const Config *c);
#endif
